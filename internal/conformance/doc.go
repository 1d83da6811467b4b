// Package conformance lists the statements that the MQTT server obeys: the
// normative ones of MQTT 3.1.1 and 5.0 and entrepot's own, each with the
// declarations that cite it and the tests that are named for it. The page
// docs/conformance/mqtt.md is made from that; the test fails when a statement
// that binds a server has no line or no test, or when a citation names none.
//
// A citation is the bracketed number of a statement in a comment, with "3: " in
// front for 3.1.1, whose numbers differ. A test is named for a statement of
// entrepot when its name or comment holds the number: TestMQTT_MC1_MM7_...
package conformance
