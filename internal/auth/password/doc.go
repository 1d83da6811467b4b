// Package password stores and verifies passwords: argon2id (RFC 9106, as PHC strings), and the formats that other
// brokers leave behind, which are verified and are to be hashed anew at the next good login.
//
//	$argon2id$v=19$m=19456,t=2,p=1$salt$hash      ours
//	$2a$ $2b$ $2y$                                bcrypt
//	SCRAM-SHA-256$iterations:salt$Stored:Server   RFC 5803
//	$7$iterations$salt$hash                       mosquitto 2: PBKDF2 with HMAC-SHA-512
//	$6$salt$hash                                  mosquitto 1: salted SHA-512
//	$rabbitmq-sha256$base64                       RabbitMQ's definitions: salted SHA-256
package password
