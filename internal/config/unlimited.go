package config

import "strconv"

// Unlimited are the paths of the values that were written as the word unlimited. OPERATIONS C27
func (c *Config) Unlimited() (paths []string) {
	var walk func(n *node, path string)
	walk = func(n *node, path string) {
		if n == nil {
			return
		}
		if n.kind == kindScalar && n.text == Unlimited {
			paths = append(paths, path)
		}
		for _, e := range n.keys {
			below := e.key
			if path != "" {
				below = path + "." + e.key
			}
			walk(e.value, below)
		}
		for i, item := range n.items {
			walk(item, path+"["+strconv.Itoa(i)+"]")
		}
	}
	walk(c.root, "")
	return paths
}
