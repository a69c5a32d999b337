/* C, libmemcached: cc client.c -lmemcached && ./a.out HOST:PORT */
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *source;

static void from_database(int number, char *fresh, size_t size) { snprintf(fresh, size, "product %d", number); }

static void product(memcached_st *cache, int number, char *answer, size_t size) {
    char key[32];
    snprintf(key, sizeof key, "product:%d", number);
    size_t length;
    uint32_t flags;
    memcached_return_t outcome;
    char *found = memcached_get(cache, key, strlen(key), &length, &flags, &outcome);
    if (outcome == MEMCACHED_SUCCESS) {
        source = "hit";
        snprintf(answer, size, "%.*s", (int)length, found);
        free(found);
        return;
    }
    from_database(number, answer, size);
    source = outcome == MEMCACHED_NOTFOUND ? "miss" : "down";
    if (outcome == MEMCACHED_NOTFOUND) memcached_set(cache, key, strlen(key), answer, strlen(answer), 60, 0);
}

static size_t count_of_many(memcached_st *cache) {
    const char *keys[] = {"a", "b", "none"};
    size_t lengths[] = {1, 1, 4}, count = 0;
    memcached_return_t outcome;
    memcached_set(cache, "a", 1, "1", 1, 60, 0);
    memcached_set(cache, "b", 1, "2", 1, 60, 0);
    memcached_mget(cache, keys, lengths, 3);
    for (memcached_result_st *result; (result = memcached_fetch_result(cache, NULL, &outcome)) != NULL; count++)
        memcached_result_free(result);
    return count;
}

int main(int count, char **words) {
    if (count < 2) return 64;
    char options[200];
    snprintf(options, sizeof options, "--SERVER=%s --CONNECT-TIMEOUT=200 --POLL-TIMEOUT=500", words[1]);
    memcached_st *cache = memcached(options, strlen(options));
    for (int turn = 0; turn < 2; turn++) {
        char answer[64];
        product(cache, 7, answer, sizeof answer);
        if (strcmp(answer, "product 7") != 0) return 1;
        printf("%s: %s\n", turn == 0 ? "first" : "second", source);
    }
    if (strcmp(source, "hit") == 0) {
        uint64_t visits = 0;
        memcached_set(cache, "visits", 6, "41", 2, 0, 0);
        memcached_increment(cache, "visits", 6, 1, &visits);
        printf("visits: %llu\n", (unsigned long long)visits);
        printf("many: %zu\n", count_of_many(cache));
        printf("deleted: %s\n", memcached_delete(cache, "product:7", 9, 0) == MEMCACHED_SUCCESS ? "true" : "false");
    }
    memcached_free(cache);
    return 0;
}
