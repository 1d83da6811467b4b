// Package tlsconf makes configurations of crypto/tls from the PEM files that a listener or a client names: TLS 1.2 and
// 1.3 (RFC 5246, RFC 8446), certificates and revocation lists by RFC 5280.
//
// What is wrong with a file is a Problem that names the key. Renegotiation, compression and early data do not exist
// here: crypto/tls has none of them on a server.
package tlsconf
