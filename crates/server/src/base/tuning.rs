//! Settings that commands change while the server runs. `lru_crawler`, `slabs automove`, `lru` and `stats detail` set
//! them, and `stats settings` shows them. The command line gives their first values.
//!
//! Each setting is a number of its own that any thread may read at any time; no two of them have to fit together.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::base::config::Config;

/// A number that commands change.
#[derive(Debug)]
pub(crate) struct Setting(AtomicU32);

impl Setting {
    fn new(value: u32) -> Setting {
        Setting(AtomicU32::new(value))
    }

    /// The value.
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Changes the value.
    pub(crate) fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// A switch that commands turn.
#[derive(Debug)]
pub(crate) struct Switch(AtomicBool);

impl Switch {
    fn new(on: bool) -> Switch {
        Switch(AtomicBool::new(on))
    }

    /// Whether the switch is on.
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Puts the switch where `on` says.
    pub(crate) fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    /// Turns the switch on; returns whether it was on before.
    pub(crate) fn turn_on(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    /// Turns the switch off.
    pub(crate) fn turn_off(&self) {
        self.set(false);
    }
}

/// A fraction that commands change.
#[derive(Debug)]
pub(crate) struct Fraction(AtomicU64);

impl Fraction {
    fn new(value: f64) -> Fraction {
        Fraction(AtomicU64::new(value.to_bits()))
    }

    /// The value.
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Changes the value.
    pub(crate) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

/// The settings that commands change, as they are now. A setting that `config.rs` calls "no effect" has none here
/// either.
#[derive(Debug)]
pub(crate) struct Tuning {
    /// `lru_crawler enable`: dead items are swept in the background, and dumps are allowed.
    pub(crate) lru_crawler: Switch,
    /// `lru_crawler sleep`. No effect.
    pub(crate) lru_crawler_sleep: Setting,
    /// `lru_crawler tocrawl`. No effect.
    pub(crate) lru_crawler_tocrawl: Setting,
    /// `slabs automove`: with 0, no page moves from a class that can use it. 1 and 2 mean the same.
    pub(crate) slab_automove: Setting,
    /// `slabs automove ratio`. No effect.
    pub(crate) slab_automove_ratio: Fraction,
    /// `slabs automove freeratio`. No effect.
    pub(crate) slab_automove_freeratio: Fraction,
    /// `slabs automove window`. No effect.
    pub(crate) slab_automove_window: Setting,
    /// `lru mode`. No effect.
    pub(crate) lru_segmented: Switch,
    /// `lru tune`. No effect.
    pub(crate) hot_lru_pct: Setting,
    /// `lru tune`. No effect.
    pub(crate) warm_lru_pct: Setting,
    /// `lru tune`. No effect.
    pub(crate) hot_max_factor: Fraction,
    /// `lru tune`. No effect.
    pub(crate) warm_max_factor: Fraction,
    /// `lru temp_ttl`. No effect.
    pub(crate) temp_lru: Switch,
    /// `lru temp_ttl`. No effect.
    pub(crate) temporary_ttl: Setting,
    /// `stats detail on`.
    pub(crate) detail: Switch,
}

impl Tuning {
    /// Takes the values of the command line.
    pub(crate) fn new(config: &Config) -> Tuning {
        Tuning {
            lru_crawler: Switch::new(config.lru_crawler),
            lru_crawler_sleep: Setting::new(config.lru_crawler_sleep),
            lru_crawler_tocrawl: Setting::new(config.lru_crawler_tocrawl),
            slab_automove: Setting::new(config.slab_automove),
            slab_automove_ratio: Fraction::new(config.slab_automove_ratio),
            slab_automove_freeratio: Fraction::new(config.slab_automove_freeratio),
            slab_automove_window: Setting::new(config.slab_automove_window),
            lru_segmented: Switch::new(config.lru_segmented),
            hot_lru_pct: Setting::new(config.hot_lru_pct),
            warm_lru_pct: Setting::new(config.warm_lru_pct),
            hot_max_factor: Fraction::new(config.hot_max_factor),
            warm_max_factor: Fraction::new(config.warm_max_factor),
            temp_lru: Switch::new(config.temp_lru),
            temporary_ttl: Setting::new(config.temporary_ttl),
            detail: Switch::new(config.detail_enabled),
        }
    }
}
