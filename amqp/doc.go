// Package amqp is the AMQP listener: it reads the protocol header of eight
// octets that every version opens with and hands the connection to the
// version's own package. Today that is AMQP 0-9-1 (amqp/amqp091).
package amqp
