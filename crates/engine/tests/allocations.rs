//! In a steady state no operation allocates from the heap.

use std::cell::Cell;

use corecached_engine::{
    Arith, ArithExtras, ArithOp, Budget, Deadline, Delete, Engine, EngineConfig, Fetch, KeyHasher,
    Reserve, Room, Seconds, Space, Store, StoreExtras, StoreMode, StoreOutcome,
};
use corecached_testing::TellingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: TellingAllocator =
    TellingAllocator::new(|| ALLOCATIONS.with(|count| count.set(count.get() + 1)));

const HASHER: KeyHasher = KeyHasher::new(3);
const KEYS: u64 = 40_000;

/// The memory handed out by one call that asks for a byte: a chunk.
#[derive(Default)]
struct Window(Option<Space>);

impl Extend<Space> for Window {
    fn extend<T: IntoIterator<Item = Space>>(&mut self, spaces: T) {
        for space in spaces {
            assert!(self.0.replace(space).is_none(), "one chunk at a time");
        }
    }
}

fn round(engine: &mut Engine, number: u64, now: Seconds) {
    let mut key = *b"key-00000000";
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    for (at, digit) in key[4..].iter_mut().enumerate() {
        *digit = b'0' + (mixed % KEYS / 10u64.pow(at as u32) % 10) as u8;
    }
    let (key, hash) = (&key[..], HASHER.hash(&key));
    let value = [b'5'; 20_000];
    let length = [10, 100, 30, 3000, 200, 20_000][(number % 6) as usize];
    let deadline = Deadline(if number.is_multiple_of(3) {
        now.0 + 5
    } else {
        0
    });
    let store = Store {
        mode: StoreMode::Set,
        key,
        hash,
        client_flags: 0,
        deadline,
        extras: StoreExtras::default(),
        value: &value[..length],
    };
    assert!(matches!(
        engine.store(&store, now),
        StoreOutcome::Stored { .. }
    ));
    let handle = engine
        .get(key, hash, now, Fetch::Count)
        .expect("just stored")
        .handle();
    let (pin, _) = engine.pin(handle);
    engine.unpin(pin);
    engine.touch(key, hash, Deadline(now.0 + 9), now);
    engine.arith(
        key,
        hash,
        &Arith {
            op: ArithOp::Incr,
            delta: 1,
            extras: ArithExtras::default(),
        },
        now,
    );
    let reserve = Reserve {
        key,
        hash,
        client_flags: 1,
        deadline,
        extras: StoreExtras::default(),
        value_bytes: 30_000,
    };
    let mut staged = engine.reserve(&reserve, now).expect("memory");
    while staged.missing_bytes() > 0 {
        let mut window = Window::default();
        let room = engine.staged_space(&mut staged, 1, &mut window);
        assert_ne!(room, Room::OutOfMemory);
        if let Some(space) = window.0 {
            // SAFETY: the space is the test's alone until the value is committed.
            unsafe { space.ptr.write_bytes(9, space.len) };
        }
    }
    engine.commit(staged, StoreMode::Set, &StoreExtras::default(), now);
    if number.is_multiple_of(2) {
        engine.delete(key, hash, &Delete::default(), now);
    }
    engine.sweep(now, 20);
    engine.maintain(now);
}

#[test]
fn a_steady_state_allocates_nothing() {
    let config = EngineConfig {
        page_bytes: 64 << 10,
        hasher: HASHER,
        ..EngineConfig::default()
    };
    let mut engine = Engine::new(config, Budget::new(8 << 20)).unwrap();
    for number in 0..20_000 {
        round(&mut engine, number, Seconds(10 + number as u32 / 1000));
    }
    assert!(engine.stats().evictions > 1000);
    let before = ALLOCATIONS.with(Cell::get);
    for number in 20_000..40_000 {
        round(&mut engine, number, Seconds(10 + number as u32 / 1000));
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    engine.check_integrity();
}
