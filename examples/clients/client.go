// Go, gomemcache: go run client.go HOST:PORT
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

func fromDatabase(number int) string { return fmt.Sprintf("product %d", number) }

func product(cache *memcache.Client, number int) (string, string) {
	key := fmt.Sprintf("product:%d", number)
	item, err := cache.Get(key)
	if err == nil {
		return string(item.Value), "hit"
	}
	fresh := fromDatabase(number)
	if err != memcache.ErrCacheMiss {
		return fresh, "down"
	}
	cache.Set(&memcache.Item{Key: key, Value: []byte(fresh), Expiration: 60})
	return fresh, "miss"
}

func main() {
	cache := memcache.New(os.Args[1])
	cache.Timeout = 200 * time.Millisecond
	source := ""
	for _, turn := range []string{"first", "second"} {
		var answer string
		answer, source = product(cache, 7)
		if answer != "product 7" {
			panic(answer)
		}
		fmt.Printf("%s: %s\n", turn, source)
	}
	if source != "hit" {
		return
	}
	cache.Set(&memcache.Item{Key: "visits", Value: []byte("41")})
	visits, _ := cache.Increment("visits", 1)
	fmt.Println("visits:", visits)
	cache.Set(&memcache.Item{Key: "a", Value: []byte("1"), Expiration: 60})
	cache.Set(&memcache.Item{Key: "b", Value: []byte("2"), Expiration: 60})
	many, _ := cache.GetMulti([]string{"a", "b", "none"})
	fmt.Println("many:", len(many))
	fmt.Println("deleted:", cache.Delete("product:7") == nil)
}
