package topic

import "strings"

const (
	sharePrefix = "$share/"
	queuePrefix = "$queue/"
)

// SplitShare takes a shared subscription apart: "$share/group/filter". ok says
// that s has that prefix; err then says what is wrong with the rest: the group
// needs at least one character and none of '/', '+', '#' [MQTT-4.8.2-1]
// [MQTT-4.8.2-2], the filter must be legal and no $share/ or $queue/ itself.
func SplitShare(s string) (group, filter string, ok bool, err error) {
	rest, ok := strings.CutPrefix(s, sharePrefix)
	if !ok {
		return "", "", false, nil
	}
	group, filter, found := strings.Cut(rest, "/")
	switch {
	case !found || group == "" || strings.ContainsAny(group, "+#"):
		return "", "", true, ErrShare
	case strings.HasPrefix(filter, sharePrefix) || strings.HasPrefix(filter, queuePrefix):
		return "", "", true, ErrShare
	}
	if err := checkText(group, Limits{}); err != nil {
		return "", "", true, err
	}
	if err := CheckFilter(filter, Limits{}); err != nil {
		return "", "", true, err
	}
	return group, filter, true, nil
}

// SplitQueue takes the name of a queue from "$queue/NAME". The name may hold
// '/', and may be empty: then the caller refuses it.
func SplitQueue(s string) (name string, ok bool) {
	return strings.CutPrefix(s, queuePrefix)
}
