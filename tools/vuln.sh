#!/bin/sh
# Runs govulncheck ($1) on the module of the working directory. Exit 3: a vulnerability that this code reaches. Where nobody
# named a database and the public one cannot be reached, it says so and succeeds, since that tells nothing about the code.
out=$("$1" ${GOVULNDB:+-db "$GOVULNDB"} ./... 2>&1)
code=$?
printf '%s\n' "$out"
[ "$code" != 0 ] && [ "$code" != 3 ] && [ -z "$GOVULNDB" ] || exit "$code"
case $out in
*vuln.go.dev*)
	echo "vuln: NOT CHECKED: https://vuln.go.dev cannot be reached; GOVULNDB=file:///copy/of/it make vuln checks without it"
	exit 0
	;;
esac
exit "$code"
