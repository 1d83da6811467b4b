package abuse

import "strings"

// get is a request to the admin listener; lines are further headers.
func get(method, path, lines string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + lines + "\r\n"
}

var httpRows = []verdict{
	{want: "400", of: []bad{
		{id: "H garbage", send: strings.Repeat("\xff\x00", 100) + "\r\n\r\n", half: true},
		{id: "H MQTT", send: hello5 + "\r\n\r\n", half: true},
		{id: "H no Host", send: "GET /healthz HTTP/1.1\r\n\r\n", half: true},
		{id: "H two Hosts", send: get("GET", "/healthz", "Host: localhost\r\n"), half: true},
		{id: "H two lengths", send: get("GET", "/healthz", "Content-Length: 1\r\nContent-Length: 2\r\n"), half: true},
		{id: "H negative length", send: get("GET", "/healthz", "Content-Length: -1\r\n"), half: true},
		{id: "H space before the colon", send: get("GET", "/healthz", "a : b\r\n"), half: true},
		{id: "H NUL in a header", send: get("GET", "/healthz", "a: \x00\r\n"), half: true},
		{id: "H path that is not one", send: get("GET", "%zz", ""), half: true},
	}},
	{want: "403", of: []bad{
		{id: "H1 another Host", send: "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", half: true},
	}},
	{want: "404", of: []bad{
		{id: "H unknown path", send: get("GET", "/etc/passwd%00", ""), half: true},
	}},
	{want: "405", of: []bad{
		{id: "H POST", send: get("POST", "/healthz", "Content-Length: 0\r\n"), half: true},
		{id: "H CONNECT", send: get("CONNECT", "/healthz", ""), half: true},
	}},
	{want: "413", of: []bad{
		{id: "H 1 GB announced", send: get("GET", "/healthz", "Content-Length: 1000000000\r\n"), half: true},
	}},
	{want: "431", of: []bad{
		{id: "H a million headers", send: "GET / HTTP/1.1\r\n", part: strings.Repeat("a: b\r\n", 4096), again: 256},
		{id: "H header without end", send: "GET / HTTP/1.1\r\na: ", part: strings.Repeat("b", 16384), again: 256},
	}},
	{want: "505", of: []bad{
		{id: "H version 9", send: "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", half: true},
	}},
	{want: "501", of: []bad{
		{id: "H unknown coding", send: get("GET", "/healthz", "Transfer-Encoding: gzip\r\n"), half: true},
	}},
	{want: strings.TrimPrefix(strings.Repeat(", 200", 200), ", "), of: []bad{
		{id: "H flood of requests", send: strings.Repeat(get("GET", "/healthz", ""), 199) + get("GET", "/healthz", "Connection: close\r\n")},
	}},
}
