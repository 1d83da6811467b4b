package interop

// The line protocol of the MQTT peers: one JSON request a line, one answer each, and events in between. A peer holds
// many clients by name; what is asked of one client is done in order, those of different clients side by side.
//
//	{"seq":1,"op":"connect","client":"a","url":"mqtt://127.0.0.1:1883","version":5,"id":"x","clean":true,...}  ->  {"seq":1,"code":0,"present":false}
//	{"seq":2,"op":"subscribe","client":"a","filters":["a/#"],"qos":2}  ->  {"seq":2,"codes":[2]}
//	{"seq":3,"op":"publish","client":"a","topic":"a/b","payload":hex,"qos":2}  ->  {"seq":3,"code":0} when the exchange is over
//	{"seq":4,"op":"unsubscribe","client":"a","filters":["a/#"]}  ->  {"seq":4,"codes":[0]}
//	{"seq":5,"op":"disconnect","client":"a"}  ->  {"seq":5} when the connection is closed
//
// Events: {"client":"a","event":"message",...}, {"client":"a","event":"lost","code":142}, {"client":"a","event":"up"}
// after a reconnection.

type mqttRequest struct {
	Seq     int      `json:"seq"`
	Op      string   `json:"op"`
	Client  string   `json:"client"`
	Filters []string `json:"filters,omitempty"`

	// connect
	URL            string    `json:"url,omitempty"`
	Version        int       `json:"version,omitempty"`
	ID             string    `json:"id,omitempty"`
	Clean          bool      `json:"clean"`
	KeepAlive      int       `json:"keepalive"`
	Reconnect      bool      `json:"reconnect"`                 // by the library itself
	Expiry         int       `json:"expiry,omitempty"`          // of the session, seconds
	ReceiveMaximum int       `json:"receive_maximum,omitempty"` // 0: absent
	TopicAliasMax  int       `json:"topic_alias_maximum,omitempty"`
	Will           *mqttWill `json:"will,omitempty"`

	// subscribe
	NoLocal           bool `json:"no_local,omitempty"`
	RetainAsPublished bool `json:"retain_as_published,omitempty"`
	RetainHandling    int  `json:"retain_handling,omitempty"`
	Identifier        int  `json:"identifier,omitempty"`

	mqttMessage
	// Count publishes so many at once, whose payloads are the payload and a number from From on.
	Count int `json:"count,omitempty"`
	From  int `json:"from,omitempty"`
}

type mqttWill struct {
	mqttMessage
	Delay int `json:"delay,omitempty"`
}

type mqttMessage struct {
	Topic       string      `json:"topic,omitempty"`
	Payload     string      `json:"payload"` // in hexadecimal
	QoS         int         `json:"qos"`
	Retain      bool        `json:"retain"`
	ContentType string      `json:"content_type,omitempty"`
	Response    string      `json:"response_topic,omitempty"`
	Correlation string      `json:"correlation,omitempty"` // in hexadecimal
	Expires     int         `json:"message_expiry,omitempty"`
	User        [][2]string `json:"user,omitempty"`
	Alias       int         `json:"topic_alias,omitempty"`
	Identifiers []int       `json:"identifiers,omitempty"`
}

type mqttAnswer struct {
	Seq       int    `json:"seq"`
	Error     string `json:"error,omitempty"`
	Code      int    `json:"code"`
	Codes     []int  `json:"codes,omitempty"`
	Present   bool   `json:"present,omitempty"`
	Assigned  string `json:"assigned,omitempty"`
	KeepAlive int    `json:"server_keepalive,omitempty"`

	// Events.
	Client string `json:"client,omitempty"`
	Event  string `json:"event,omitempty"`
	Dup    bool   `json:"dup,omitempty"`
	mqttMessage
}
