// Package wire is the wire format of AMQP 0-9-1: frames, methods, content
// headers and field tables, as the specification of November 2008 defines them
// and as RabbitMQ reads and writes them where the two differ (field types).
//
// Every part is parse / append / length: nothing here does I/O, keeps the
// caller's slice past the call unless the doc says "view", or allocates by an
// announced length. Truncated input is io.ErrUnexpectedEOF; everything else
// that is wrong is an *Error with the reply code that the connection closes
// with.
package wire
