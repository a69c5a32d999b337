//! Send buffers, last in first out: the one used last is still in the cache.

/// Empty vectors that keep their capacity, up to a total.
pub(crate) struct BufferPool {
    free: Vec<Vec<u8>>,
    pooled_bytes: usize,
    initial_bytes: usize,
    buffer_bytes_max: usize,
    pool_bytes_max: usize,
}

impl BufferPool {
    pub(crate) fn new(
        initial_bytes: usize,
        buffer_bytes_max: usize,
        pool_bytes_max: usize,
    ) -> Self {
        Self {
            free: Vec::new(),
            pooled_bytes: 0,
            initial_bytes,
            buffer_bytes_max,
            pool_bytes_max,
        }
    }

    /// An empty buffer.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        match self.free.pop() {
            Some(buffer) => {
                self.pooled_bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(self.initial_bytes),
        }
    }

    /// Takes a buffer back, or frees it if it grew large or the pool is full.
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let poolable = (1..=self.buffer_bytes_max).contains(&capacity);
        if poolable && self.pooled_bytes + capacity <= self.pool_bytes_max {
            buffer.clear();
            self.pooled_bytes += capacity;
            self.free.push(buffer);
        }
    }

    /// Bytes of capacity kept.
    pub(crate) fn pooled_bytes(&self) -> usize {
        self.pooled_bytes
    }

    /// Frees all but `count` buffers.
    pub(crate) fn shrink(&mut self, count: usize) {
        let surplus = self.free.len().saturating_sub(count);
        let freed: usize = self
            .free
            .drain(..surplus)
            .map(|buffer| buffer.capacity())
            .sum();
        self.pooled_bytes -= freed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_warmest_buffer_and_forgets_large_ones() {
        let mut pool = BufferPool::new(100, 1000, 250);
        let (mut first, second) = (pool.take(), pool.take());
        first.push(1);
        let warm = first.as_ptr();
        pool.give(second);
        pool.give(first);
        let again = pool.take();
        assert_eq!((again.as_ptr(), again.len()), (warm, 0));
        pool.give(Vec::with_capacity(1001));
        pool.give(Vec::new());
        assert_eq!(pool.free.len(), 1);
        pool.give(again);
        pool.give(Vec::with_capacity(100)); // would exceed the pool's 250 bytes
        assert_eq!(pool.pooled_bytes, 200);
        pool.shrink(0);
        assert_eq!((pool.free.len(), pool.pooled_bytes), (0, 0));
    }
}
