package store

import "strings"

// clusterSlots is how many slots a cluster has.
const clusterSlots = 16384

// Locate tells where the sessions of a user lie: their key, and its slot in a
// cluster, 0 to 16383. It is for tools that look at the servers beside the
// storage; nothing is asked, and the user need not exist.
func (s *RedisStorage) Locate(userID string) (key string, slot int) {
	key = s.engine.keys.sessions(userTag(userID))
	return key, slotOf(key)
}

// slotOf is HASH_SLOT of the cluster specification: CRC-16/XMODEM of what lies in
// the first pair of braces.
func slotOf(key string) int {
	if _, rest, found := strings.Cut(key, "{"); found {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % clusterSlots
}
