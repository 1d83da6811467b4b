package topic

// AddAll is Add for n pairs, in the order of their numbers where filters are the
// same. pair is called twice for each. Many are added one table after the other,
// each made large enough at once: a fraction of what they take one by one.
func (x *Index[V]) AddAll(n int, pair func(i int) (filter string, v V)) {
	hashes := make([]uint64, n)
	var ends [exactShards + 1]int // of the pairs of each shard, in order
	for i := range hashes {
		filter, v := pair(i)
		if IsFilter(filter) {
			x.Add(filter, v)
			continue
		}
		hashes[i] = max(hashOf(filter), 1) // 0: has wildcards
		ends[hashes[i]>>58+1]++
	}
	for i := range exactShards {
		ends[i+1] += ends[i]
	}
	order := make([]int, ends[exactShards])
	for i, h := range hashes {
		if h != 0 {
			order[ends[h>>58]] = i
			ends[h>>58]++
		}
	}
	from := 0
	for shard := range exactShards {
		x.addExact(shard, order[from:ends[shard]], hashes, pair)
		from = ends[shard]
	}
	x.pairs.Add(int64(len(order)))
}

// addExact adds the pairs with these numbers to the shard that is theirs.
func (x *Index[V]) addExact(shard int, numbers []int, hashes []uint64, pair func(i int) (string, V)) {
	if len(numbers) == 0 {
		return
	}
	s := &x.exact[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.Store(s.table.Load().withRoom(len(numbers)))
	for _, i := range numbers {
		filter, v := pair(i)
		s.add(tagOf(hashes[i]), filter, v)
		x.gen.exact[hashes[i]>>32%256].Add(1)
	}
	if t := s.table.Load(); t.sparse() { // they were values of a few filters
		s.table.Store(t.rebuilt(0))
	}
}
