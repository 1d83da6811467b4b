package frame

// Version is the protocol version that a connection negotiated. It selects
// the escaping and a few tolerances.
type Version uint8

const (
	VersionNone Version = iota // before CONNECTED: nothing is escaped
	V10
	V11
	V12
)

// String returns the spelling of the version in accept-version and version
// headers; the zero value has none.
func (v Version) String() string {
	switch v {
	case V10:
		return "1.0"
	case V11:
		return "1.1"
	case V12:
		return "1.2"
	}
	return ""
}

// ParseVersion is the inverse of String; false for an unknown version.
func ParseVersion(s string) (Version, bool) {
	switch s {
	case "1.0":
		return V10, true
	case "1.1":
		return V11, true
	case "1.2":
		return V12, true
	}
	return VersionNone, false
}

// escapes says whether header text of this version is escaped.
func (v Version) escapes() bool { return v >= V11 }
