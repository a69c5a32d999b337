//! Meta requests: the meaning of their flags for the operation. Their meaning for the reply is in `wire/meta.rs`.
//!
//! Flags act in the order in which they were sent. For the operation this matters in two places: for an item that is
//! created, the later one of `T` and `N` counts; and an `R` behind a `T` looks at the new time to live.

use corecached_engine::{
    Arith, ArithExtras, ArithOp, Create, Deadline, Delete, Fetch, MetaFetch, Recache, StoreExtras,
    StoreMode,
};
use corecached_protocol::meta::{
    ArithMode, Flags, MetaArith, MetaDelete, MetaGet, MetaKey, MetaSet, SetMode,
};

use crate::wire::meta::MetaStyle;

use super::Times;

/// The reply that the flags ask for.
pub(crate) fn style<'a>(flags: &Flags<'a>, key: &MetaKey<'_>, times: Times) -> MetaStyle<'a> {
    let at = |exptime: Option<i32>| exptime.map_or(Deadline::NEVER, |at| times.deadline(at));
    MetaStyle {
        flags: *flags,
        base64: key.is_base64(),
        value_bytes: 0,
        touched: at(flags.exptime()),
        created: at(flags.vivify()),
    }
}

/// How `mg` is answered.
#[inline]
pub(crate) fn get_style<'a>(get: &MetaGet<'a>, times: Times) -> MetaStyle<'a> {
    if get.flags.does_more_than_fetch() {
        return style(&get.flags, &get.key, times);
    }
    MetaStyle {
        flags: get.flags,
        base64: get.key.is_base64(),
        value_bytes: 0,
        touched: Deadline::NEVER,
        created: Deadline::NEVER,
    }
}

/// The operation of `mg`.
#[inline]
pub(crate) fn fetch(style: &MetaStyle<'_>, times: Times) -> Fetch {
    Fetch::Meta(if style.flags.does_more_than_fetch() {
        acting_fetch(style, times)
    } else {
        MetaFetch::PLAIN
    })
}

#[cold]
fn acting_fetch(style: &MetaStyle<'_>, times: Times) -> MetaFetch {
    let flags = &style.flags;
    let create = flags.has(b'N').then(|| Create {
        deadline: deadline_of_created(style),
        new_cas: flags.new_cas(),
        binary_key: style.base64,
    });
    MetaFetch {
        bump: !flags.has(b'u'),
        deadline: flags.has(b'T').then_some(style.touched),
        recache: recache(style, times),
        create,
    }
}

/// The deadline of an item that is created: the later one of `T` and `N` decides.
fn deadline_of_created(style: &MetaStyle<'_>) -> Deadline {
    match style
        .flags
        .in_order()
        .filter(|flag| matches!(flag.letter, b'T' | b'N'))
        .last()
    {
        Some(flag) if flag.letter == b'T' => style.touched,
        _ => style.created,
    }
}

fn recache(style: &MetaStyle<'_>, times: Times) -> Recache {
    let flags = &style.flags;
    let Some(recache) = flags.recache() else {
        return Recache::Never;
    };
    let limit = times.deadline(recache);
    let touched_before = flags
        .in_order()
        .take_while(|flag| flag.letter != b'R')
        .any(|flag| flag.letter == b'T');
    match touched_before {
        false => Recache::Below(limit),
        true if style.touched != Deadline::NEVER && style.touched.0 < limit.0 => Recache::Always,
        true => Recache::Never,
    }
}

/// The store mode and conditions of `ms`. With `C`, set and replace are cas; append and prepend compare the cas unique,
/// and take 0 for none.
pub(crate) fn mode(request: &MetaSet<'_>) -> (StoreMode, StoreExtras) {
    let flags = &request.flags;
    let joins = matches!(request.mode, SetMode::Append | SetMode::Prepend);
    let compare = flags.compare_cas();
    let mode = match (request.mode, compare) {
        (SetMode::Set | SetMode::Replace, Some(cas)) => StoreMode::Cas(cas),
        (SetMode::Set, None) => StoreMode::Set,
        (SetMode::Replace, None) => StoreMode::Replace,
        (SetMode::Add, _) => StoreMode::Add,
        (SetMode::Append, _) => StoreMode::Append,
        (SetMode::Prepend, _) => StoreMode::Prepend,
    };
    let extras = StoreExtras {
        new_cas: flags.new_cas(),
        compare: compare.filter(|&cas| joins && cas != 0),
        create: joins && flags.has(b'N'),
        invalidate: flags.has(b'I'),
        binary_key: request.key.is_base64(),
        drops_old: true,
    };
    (mode, extras)
}

/// What `md` deletes, and what it leaves.
pub(crate) fn delete(request: &MetaDelete<'_>, style: &MetaStyle<'_>) -> Delete {
    let flags = &request.flags;
    Delete {
        compare: flags.compare_cas(),
        counts_other_cas: true,
        stale: flags.has(b'I'),
        empty: flags.has(b'x').then(|| flags.client_flags()),
        deadline: flags.has(b'T').then_some(style.touched),
        new_cas: flags.new_cas(),
    }
}

/// What `ma` counts.
pub(crate) fn arith(request: &MetaArith<'_>, style: &MetaStyle<'_>) -> Arith {
    let flags = &request.flags;
    let op = match request.mode {
        ArithMode::Incr => ArithOp::Incr,
        ArithMode::Decr => ArithOp::Decr,
    };
    let extras = ArithExtras {
        compare: flags.compare_cas().filter(|&cas| cas != 0),
        new_cas: flags.new_cas(),
        deadline: flags.has(b'T').then_some(style.touched),
        create: flags
            .has(b'N')
            .then(|| (flags.initial(), deadline_of_created(style))),
        binary_key: request.key.is_base64(),
    };
    let delta = flags.delta();
    Arith { op, delta, extras }
}
