//! A stack for the work of authors.
//!
//! A script or a template can nest values more deeply than any check sees: each step costs one small allocation, and
//! comparing, printing or dropping the result recurses once per level. Rust ends the process if a thread's stack
//! overflows. What authors write is therefore compiled, run and dropped on a separate stack, which is large enough for the
//! deepest values that the other limits (operations, memory, fuel, the size of a file) allow.
//!
//! The stack is reserved once per thread and uses memory only where it is touched; switching to it takes a few
//! nanoseconds. Memory that a deep value touched is released.

use std::cell::RefCell;

use corosensei::{
    on_stack,
    stack::{DefaultStack, Stack},
};

/// Address space of a stack, in bytes. `decide::tests::depth` and `plan::tests` measure how much the limits allow.
const SIZE: usize = 512 * 1024 * 1024;
/// Part of a stack that stays in memory between two calls, in bytes.
const KEPT: usize = 1024 * 1024;
/// Part below `KEPT` that shows whether a call went so deep, in bytes. Frames are smaller.
const LOOKED_AT: usize = 4 * 1024;

thread_local! {
    static STACK: RefCell<Option<DefaultStack>> = const { RefCell::new(None) };
}

/// Runs the work of an author on the large stack of this thread; runs nested work directly.
///
/// Values that the work makes must also be dropped in `work`.
///
/// # Panics
/// If `work` panics, or no address space is left for the stack.
pub fn on_author_stack<R>(work: impl FnOnce() -> R) -> R {
    STACK.with(|slot| {
        let Ok(mut slot) = slot.try_borrow_mut() else { return work() };
        let stack = slot.get_or_insert_with(reserve);
        let result = on_stack(&mut *stack, work);
        if went_deep(stack) {
            *slot = None;
        }
        result
    })
}

#[expect(
    clippy::expect_used,
    reason = "without address space for a stack nothing can run; the caller's task fails"
)]
fn reserve() -> DefaultStack {
    DefaultStack::new(SIZE).expect("failed to reserve address space for a stack")
}

/// Runs work on a new stack; returns how many of its bytes were touched, and its size.
#[cfg(test)]
#[allow(unsafe_code, reason = "looks at bytes of the stack that nothing uses any more")]
pub fn deepest(work: impl FnOnce()) -> (usize, usize) {
    let mut stack = reserve();
    on_stack(&mut stack, || {
        // Work within it stays on this stack.
        STACK.with(|slot| {
            let _taken = slot.borrow_mut();
            work();
        });
    });
    // SAFETY: as above, without the guard page at the end.
    let bytes = unsafe { std::slice::from_raw_parts((stack.base().get() - SIZE) as *const u8, SIZE) };
    let untouched =
        bytes.chunks(4096).take_while(|page| page.iter().step_by(64).all(|byte| *byte == 0)).count();
    (SIZE - untouched * 4096, SIZE)
}

/// Whether something was written beyond `KEPT` bytes: fresh pages read as zeros, and reading maps no memory.
#[allow(unsafe_code, reason = "looks at bytes of the stack that nothing uses any more")]
fn went_deep(stack: &DefaultStack) -> bool {
    let looked_at = (stack.base().get() - KEPT - LOOKED_AT) as *const u8;
    // SAFETY: the range lies within the stack, which is mapped and readable for as long as `stack` lives, and no
    // code runs on it now.
    let bytes = unsafe { std::slice::from_raw_parts(looked_at, LOOKED_AT) };
    // Without a branch for each byte: this is done for each call.
    bytes.iter().fold(0, |all, byte| all | byte) != 0
}

#[cfg(test)]
mod tests {
    use super::on_author_stack;

    fn deep(levels: usize) -> usize {
        let block = std::hint::black_box([levels; 64]);
        if levels == 0 { 0 } else { 1 + deep(block[levels % 64] - 1) }
    }

    #[test]
    fn a_depth_that_no_thread_has_fits_again_and_again() {
        for _ in 0..3 {
            // At least 512 bytes a level: 100 MB.
            assert_eq!(on_author_stack(|| on_author_stack(|| deep(200_000))), 200_000);
        }
    }

    #[test]
    fn a_panic_comes_out_and_the_stack_stays_usable() {
        let caught = std::panic::catch_unwind(|| on_author_stack(|| panic!("inside")));
        assert!(caught.is_err());
        assert_eq!(on_author_stack(|| 7), 7);
    }
}
