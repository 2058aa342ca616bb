//! The memory that a thread holds, which stops a script that fills memory.
//!
//! Rhai limits the size of each value, not of all values together (`map[key] = value` and the result of `map()` escape
//! its checks), and has no hook for allocations. So the program's allocator counts, for each thread, the bytes allocated
//! minus those freed; a call may increase that by a limit.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};

use mimalloc::MiMalloc;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    #[cfg(test)]
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

/// The bytes that this thread has allocated minus those that it has freed. Negative if it frees what others allocated:
/// only differences are meaningful.
pub fn held() -> isize {
    HELD.get()
}

fn count(bytes: isize) {
    // A thread that is ending has no thread-locals left, and runs no scripts.
    let _ = HELD.try_with(|held| held.set(held.get().wrapping_add(bytes)));
    #[cfg(test)]
    let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held())));
}

/// The maximum memory held during some work in addition to what was held before, in bytes.
#[cfg(test)]
pub fn peak_of(work: impl FnOnce()) -> isize {
    let before = held();
    PEAK.set(before);
    work();
    PEAK.get() - before
}

#[allow(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; each call is handed to mimalloc's as it is"
)]
// SAFETY: mimalloc does the work with the arguments as they came; counting neither allocates
// nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are mimalloc's conditions.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { MiMalloc.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::held;

    #[test]
    fn what_is_held_grows_and_shrinks() {
        let before = held();
        let mut block = vec![0_u8; 100_000];
        assert_eq!(held() - before, 100_000);
        block.reserve_exact(200_000);
        assert_eq!(held() - before, 300_000);
        drop(block);
        assert_eq!(held(), before);
    }
}
