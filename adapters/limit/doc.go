// Package limit holds the bounds that are counted over many connections: the
// places of the unauthenticated, connections in all, the rate of accepting,
// peers per address, and what an unproven datagram source may be sent
// (limits L4, L5, L6, L24 and statement S9 of docs/security.md).
package limit
