"""Sessions: read from the cache at every request, kept in the database, so that nobody is logged out by a restart.

    log in, change:  database --> cache
    request:         cache --hit--> session, touch       (its time begins anew)
                       '--miss--> database --> cache

A session that is in the cache alone is gone with the server, or evicted when memory is short. Here the cache takes the reads,
which are nearly all, and the database the few writes. How long a session lives is renewed in the cache at each request, in the
database only when half of the time is over.
"""

import json
import secrets
import time

from stage import Stage, Tally, check

USERS = 100
REQUESTS = 2000
LIFE_SECONDS = 1800


class Sessions:
    def __init__(self, cache, database):
        self.cache = cache
        self.database = database

    def log_in(self, user):
        token = secrets.token_urlsafe(16)
        self.store(token, {"user": user, "basket": [], "renewed": time.time()})
        return token

    def store(self, token, session):
        self.database.run(
            "INSERT INTO session VALUES (%s, %s, to_timestamp(%s)) "
            "ON CONFLICT (token) DO UPDATE SET data = excluded.data, ends = excluded.ends",
            token, json.dumps(session), session["renewed"] + LIFE_SECONDS,
        )
        self.cache.set(f"session:{token}", session, LIFE_SECONDS)

    def load(self, token):
        """The session or None, and whether it came from the cache."""
        key = f"session:{token}"
        session = self.cache.get(key)
        hit = session is not None
        if hit:
            self.cache.touch(key, LIFE_SECONDS)
        else:
            row = self.database.row("SELECT data FROM session WHERE token = %s AND ends > now()", token)
            if row is None:
                return None, False
            session = row[0]
            self.cache.set(key, session, LIFE_SECONDS)
        if time.time() - session["renewed"] > LIFE_SECONDS / 2:
            session["renewed"] = time.time()
            self.store(token, session)
        return session, hit

    def log_out(self, token):
        self.database.run("DELETE FROM session WHERE token = %s", token)
        self.cache.delete(f"session:{token}")


def main(stage):
    cache, database = stage.cache(), stage.database()
    database.run("CREATE TABLE session (token text PRIMARY KEY, data jsonb NOT NULL, ends timestamptz NOT NULL)")
    sessions = Sessions(cache, database)
    tokens = {user: sessions.log_in(user) for user in range(USERS)}
    baskets = {user: [] for user in range(USERS)}

    def act():
        tally = Tally(plain=REQUESTS)
        before = database.queries
        written = 0
        for turn in range(REQUESTS):
            user = stage.random.randrange(USERS)
            session, hit = sessions.load(tokens[user])
            assert session is not None, "a user was logged out"
            assert session["user"] == user and session["basket"] == baskets[user], "the session of another user, or an old one"
            tally.reads += 1
            tally.hits += hit
            if turn % 50 == 0:
                baskets[user].append(turn)
                session["basket"] = baskets[user]
                sessions.store(tokens[user], session)
                written += 1
        tally.queries = database.queries - before
        tally.plain += written
        return tally

    works, stopped, back = stage.acts(act)
    check(works.hit_rate > 0.99, "nearly every request finds its session in the cache")
    check(stopped.hit_rate == 0, "without the cache nobody was logged out, and no basket is lost")
    check(back.hit_rate > 0.9, "after its return the sessions come back as they are asked for")
    sessions.log_out(tokens[0])
    check(sessions.load(tokens[0]) == (None, False), "who logs out is out")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
