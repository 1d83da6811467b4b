// Package ordered is a map from strings to values in byte order: a B+ tree that
// holds the retained messages of core/topic and the keys of the store in
// memory. It imports the standard library only and knows nothing of topics.
//
// Most of the time of a search goes into waiting for memory, so a page keeps
// the eight bytes after what its keys have in common in one array, and the text
// of its keys in one piece.
package ordered
