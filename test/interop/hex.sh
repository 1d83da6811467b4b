#!/bin/sh
# One line in hexadecimal for each message: amqp-consume runs this with the body as stdin.
od -An -v -tx1 | tr -d ' \n'
echo
