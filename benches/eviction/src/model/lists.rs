//! Items in doubly linked lists, found by key.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{Index, IndexMut};

use crate::stream::mix;

/// Index of a node.
pub type NodeId = u32;

/// Ends lists.
const NONE: NodeId = NodeId::MAX;

/// An item that is present.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Number of its key.
    pub key: u64,
    /// What it costs.
    pub bytes: u32,
    /// When it dies, 0 for never.
    pub deadline: u32,
    /// For the policy: use count or marks.
    pub used: u8,
    /// The list it is in.
    pub list: u8,
    older: NodeId,
    newer: NodeId,
}

impl Node {
    /// An item in no list.
    pub fn new(key: u64, bytes: u32, deadline: u32) -> Self {
        Self {
            key,
            bytes,
            deadline,
            used: 0,
            list: 0,
            older: NONE,
            newer: NONE,
        }
    }
}

/// Hashes numbers of keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyMixer(u64);

impl Hasher for KeyMixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(number);
    }
}

/// A map from numbers of keys.
pub type KeyMap<V> = HashMap<u64, V, BuildHasherDefault<KeyMixer>>;

#[derive(Clone, Copy, Debug)]
struct List {
    newest: NodeId,
    oldest: NodeId,
    bytes: u64,
    items: usize,
}

/// Items of a cache, each in one of several doubly linked lists, found by key.
#[derive(Debug)]
pub struct Lists {
    map: KeyMap<NodeId>,
    nodes: Vec<Node>,
    unused: Vec<NodeId>,
    lists: Vec<List>,
}

impl Index<NodeId> for Lists {
    type Output = Node;

    fn index(&self, node: NodeId) -> &Node {
        &self.nodes[node as usize]
    }
}

impl IndexMut<NodeId> for Lists {
    fn index_mut(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[node as usize]
    }
}

impl Lists {
    /// So many empty lists.
    pub fn new(lists: usize) -> Self {
        let empty = List {
            newest: NONE,
            oldest: NONE,
            bytes: 0,
            items: 0,
        };
        Self {
            map: KeyMap::default(),
            nodes: Vec::new(),
            unused: Vec::new(),
            lists: vec![empty; lists],
        }
    }

    /// The item with this key.
    pub fn find(&self, key: u64) -> Option<NodeId> {
        self.map.get(&key).copied()
    }

    /// Makes an item known; it is in no list yet.
    pub fn add(&mut self, node: Node) -> NodeId {
        let id = if let Some(id) = self.unused.pop() {
            self[id] = node;
            id
        } else {
            self.nodes.push(node);
            self.nodes.len() as NodeId - 1
        };
        self.map.insert(node.key, id);
        id
    }

    /// Forgets an item that is in no list.
    pub fn forget(&mut self, id: NodeId) {
        let key = self[id].key;
        self.map.remove(&key);
        self.unused.push(id);
    }

    /// Puts an item at the new end of a list.
    pub fn push(&mut self, list: usize, id: NodeId) {
        let newest = self.lists[list].newest;
        let node = &mut self[id];
        (node.list, node.older, node.newer) = (list as u8, newest, NONE);
        let bytes = u64::from(node.bytes);
        if newest == NONE {
            self.lists[list].oldest = id;
        } else {
            self[newest].newer = id;
        }
        let list = &mut self.lists[list];
        list.newest = id;
        list.bytes += bytes;
        list.items += 1;
    }

    /// Takes an item out of its list.
    pub fn unlink(&mut self, id: NodeId) {
        let Node {
            older,
            newer,
            list,
            bytes,
            ..
        } = self[id];
        let list = usize::from(list);
        match older {
            NONE => self.lists[list].oldest = newer,
            older => self[older].newer = newer,
        }
        match newer {
            NONE => self.lists[list].newest = older,
            newer => self[newer].older = older,
        }
        self.lists[list].bytes -= u64::from(bytes);
        self.lists[list].items -= 1;
    }

    /// Takes the oldest item out of a list.
    pub fn pop_oldest(&mut self, list: usize) -> Option<NodeId> {
        let oldest = self.oldest(list)?;
        self.unlink(oldest);
        Some(oldest)
    }

    /// The oldest item of a list.
    pub fn oldest(&self, list: usize) -> Option<NodeId> {
        let oldest = self.lists[list].oldest;
        (oldest != NONE).then_some(oldest)
    }

    /// The next newer item of the same list.
    pub fn newer(&self, id: NodeId) -> Option<NodeId> {
        let newer = self[id].newer;
        (newer != NONE).then_some(newer)
    }

    /// Bytes in one list.
    pub fn bytes_in(&self, list: usize) -> u64 {
        self.lists[list].bytes
    }

    /// Items in one list.
    pub fn items_in(&self, list: usize) -> usize {
        self.lists[list].items
    }

    /// Bytes in all lists.
    pub fn bytes(&self) -> u64 {
        self.lists.iter().map(|list| list.bytes).sum()
    }

    /// Items in all lists.
    pub fn items(&self) -> usize {
        self.lists.iter().map(|list| list.items).sum()
    }

    /// Panics unless lists, counts and map agree.
    #[cfg(test)]
    pub fn check(&self) {
        for (index, list) in self.lists.iter().enumerate() {
            let (mut items, mut bytes) = (0, 0);
            let mut at = self.oldest(index);
            while let Some(id) = at {
                assert_eq!(self.find(self[id].key), Some(id));
                assert_eq!(usize::from(self[id].list), index);
                items += 1;
                bytes += u64::from(self[id].bytes);
                at = self.newer(id);
            }
            assert_eq!((items, bytes), (list.items, list.bytes));
        }
        assert_eq!(self.map.len(), self.items());
    }
}
