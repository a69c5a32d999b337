//! Values that arrive in pieces.

use corecached_engine::{
    Reserve, Room, Seconds, Space, Store, StoreMode, StoreOutcome, StoreRefusal,
};

use crate::support::hash;

use super::{Model, Upload};

impl Model {
    pub(super) fn begin_upload(&mut self) {
        if self.uploads.len() >= 3 {
            return;
        }
        let (key, value) = (self.key(), self.value());
        let (flags, deadline) = (self.flags(), self.deadline());
        let expected = self.expected(&key);
        let mode = self.mode(expected.as_ref());
        let extras = self.extras(expected.as_ref());
        let reserve = Reserve {
            key: &key,
            hash: hash(&key),
            client_flags: flags,
            deadline,
            extras,
            value_bytes: value.len(),
        };
        match self.engine.reserve(&reserve, Seconds(self.now)) {
            Ok(staged) => self.uploads.push(Upload {
                staged,
                key,
                value,
                written: 0,
                spaces: Vec::new(),
                flags,
                deadline,
                mode,
                extras,
            }),
            Err(StoreRefusal::TooLarge) => assert!(self.too_large(&key, value.len(), flags)),
            Err(StoreRefusal::OutOfMemory) => assert!(
                !self.config.evictions_enabled || !self.uploads.is_empty() || !self.pins.is_empty()
            ),
        }
    }

    pub(super) fn go_on_with_upload(&mut self) {
        if self.uploads.is_empty() {
            return;
        }
        let index = self.rng.below(self.uploads.len());
        let mut upload = self.uploads.swap_remove(index);
        if self.rng.one_in(10) {
            return self.engine.abort(upload.staged);
        }
        let len = self.rng.below(upload.value.len() - upload.written + 1);
        let end = if self.rng.one_in(2) {
            upload.value.len()
        } else {
            upload.written + len
        };
        if !self.take_space(&mut upload, end) {
            // The memory of the part that has been written is an excuse for running out.
            return self.engine.abort(upload.staged);
        }
        let is_whole = upload.written == upload.value.len();
        if is_whole || self.rng.one_in(2) {
            upload.fill_spaces();
        }
        if upload.written < upload.value.len() {
            return self.uploads.push(upload);
        }
        let Upload {
            staged,
            key,
            value,
            flags,
            deadline,
            mode,
            extras,
            ..
        } = upload;
        self.settle(&key);
        let copied: Vec<u8> = self
            .engine
            .staged_value(&staged)
            .flatten()
            .copied()
            .collect();
        assert!(copied == value, "a staged value is what was written");
        // The value's own memory is an excuse for running out.
        let outcome = self.engine.commit(staged, mode, &extras, Seconds(self.now));
        if outcome == StoreOutcome::OutOfMemory
            && matches!(mode, StoreMode::Append | StoreMode::Prepend)
        {
            return;
        }
        let store = Store {
            mode,
            key: &key,
            hash: hash(&key),
            client_flags: flags,
            deadline,
            extras,
            value: &value,
        };
        self.stored(&store, outcome);
    }

    /// Has memory handed out for the value up to `end`, to be filled later; false if there is none.
    fn take_space(&mut self, upload: &mut Upload, end: usize) -> bool {
        let mut spaces: Vec<Space> = Vec::new();
        let wanted = end - upload.written;
        let room = self
            .engine
            .staged_space(&mut upload.staged, wanted, &mut spaces);
        match room {
            Room::Given => assert_eq!(spaces.is_empty(), wanted == 0),
            Room::Later | Room::OutOfMemory => assert!(spaces.is_empty()),
        }
        for space in spaces {
            upload.spaces.push((space, upload.written));
            upload.written += space.len;
        }
        assert_eq!(
            upload.staged.missing_bytes(),
            upload.value.len() - upload.written
        );
        room != Room::OutOfMemory
    }
}

impl Upload {
    fn fill_spaces(&mut self) {
        for (space, from) in self.spaces.drain(..) {
            let bytes = &self.value[from..from + space.len];
            // SAFETY: memory of the staged value, which is neither committed nor aborted.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), space.ptr, space.len) };
        }
    }
}
