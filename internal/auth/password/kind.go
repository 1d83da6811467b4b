package password

import "strings"

// Kind names the format, for lists: argon2id, bcrypt, scram, or whose weak hash it is.
func (h *Hash) Kind() string {
	for _, k := range []struct{ prefix, name string }{
		{"$argon2id$", "argon2id"}, {"$2", "bcrypt"}, {scramPrefix, "scram"}, {"$7$", "mosquitto 2"}, {"$6$", "mosquitto 1"}, {"$rabbitmq-", "rabbitmq"},
	} {
		if strings.HasPrefix(h.text, k.prefix) {
			return k.name
		}
	}
	return "unknown"
}
