//! Memory for one event.
//!
//! An instance handles one event and is discarded, so the allocator has little to do. The default allocator starts by
//! growing the memory. Growing it and resetting it are two system calls that change page protections: half of the time
//! that a small plugin takes for an event. This allocator uses memory that the module has from its start, and the default
//! one only for what does not fit.
#![allow(unsafe_code)] // An allocator is unsafe by nature.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;

/// Allocates from `SIZE` bytes, from the first to the last.
pub struct Arena<const SIZE: usize> {
    bytes: UnsafeCell<[MaybeUninit<u8>; SIZE]>,
    used: Cell<usize>,
}

// SAFETY: a module has only one thread.
unsafe impl<const SIZE: usize> Sync for Arena<SIZE> {}

impl<const SIZE: usize> Arena<SIZE> {
    /// Creates an empty arena.
    pub const fn new() -> Self {
        Self { bytes: UnsafeCell::new([MaybeUninit::uninit(); SIZE]), used: Cell::new(0) }
    }

    fn start(&self) -> *mut u8 {
        self.bytes.get().cast()
    }

    /// The offset of a pointer into the arena, if it points there.
    fn offset(&self, pointer: *mut u8) -> Option<usize> {
        pointer.addr().checked_sub(self.start().addr()).filter(|offset| *offset < SIZE)
    }

    /// The end of `size` bytes from `offset`, if they fit.
    fn end(offset: usize, size: usize) -> Option<usize> {
        offset.checked_add(size).filter(|end| *end <= SIZE)
    }
}

// SAFETY: allocations lie within `bytes`, aligned and beyond everything in use, or come from `System`, and each is returned
// to where it came from.
unsafe impl<const SIZE: usize> GlobalAlloc for Arena<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.start();
        let free = start.addr() + self.used.get();
        let offset = free.next_multiple_of(layout.align()) - start.addr();
        if let Some(end) = Self::end(offset, layout.size()) {
            self.used.set(end);
            return start.wrapping_add(offset);
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.offset(pointer) {
            // Only the last allocation can be reused.
            Some(offset) if offset + layout.size() == self.used.get() => self.used.set(offset),
            Some(_) => {}
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(pointer) else { return unsafe { System.realloc(pointer, layout, size) } };
        if offset + layout.size() == self.used.get()
            && let Some(end) = Self::end(offset, size)
        {
            self.used.set(end);
            return pointer;
        }
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            unsafe { std::ptr::copy_nonoverlapping(pointer, new, size.min(layout.size())) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 1 << 10;

    /// Allocates and fills memory. Returns its offset in the arena, or `None` if it is elsewhere.
    fn fill(arena: &Arena<SIZE>, layout: Layout, byte: u8) -> (*mut u8, Option<usize>) {
        let pointer = unsafe { arena.alloc(layout) };
        assert!(!pointer.is_null() && pointer.addr() % layout.align() == 0);
        unsafe { pointer.write_bytes(byte, layout.size()) };
        (pointer, arena.offset(pointer))
    }

    fn holds(pointer: *mut u8, size: usize, byte: u8) -> bool {
        (0..size).all(|at| unsafe { pointer.add(at).read() } == byte)
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn arena_several_layouts_are_aligned_and_disjoint() {
        let arena = Arena::<SIZE>::new();
        let pieces = [(3, 1), (8, 8), (1, 1), (100, 16), (5, 4)].map(|(size, align)| {
            let byte = u8::try_from(size).unwrap();
            (fill(&arena, layout(size, align), byte), size, byte)
        });
        for ((pointer, offset), size, byte) in pieces {
            assert!(offset.is_some(), "{size} bytes");
            assert!(holds(pointer, size, byte), "{size} bytes");
        }
    }

    #[test]
    fn arena_full_falls_back_to_system() {
        let arena = Arena::<SIZE>::new();
        let (all, _) = fill(&arena, layout(SIZE, 1), 1);
        let (more, offset) = fill(&arena, layout(1, 1), 2);
        assert_eq!(offset, None);
        let more = unsafe { arena.realloc(more, layout(1, 1), 9) };
        assert!(arena.offset(more).is_none() && holds(more, 1, 2) && holds(all, SIZE, 1));
        unsafe { arena.dealloc(more, layout(9, 1)) };
        assert_eq!(arena.used.get(), SIZE);
    }

    #[test]
    fn arena_only_the_last_allocation_is_reused() {
        let arena = Arena::<SIZE>::new();
        let (first, _) = fill(&arena, layout(10, 1), 1);
        let (second, offset) = fill(&arena, layout(10, 1), 2);
        unsafe { arena.dealloc(second, layout(10, 1)) };
        let (third, same) = fill(&arena, layout(10, 1), 3);
        assert_eq!(offset, same);
        unsafe { arena.dealloc(first, layout(10, 1)) };
        assert!(holds(third, 10, 3));
        assert!(fill(&arena, layout(1, 1), 4).1 > same);
    }

    #[test]
    fn arena_last_allocation_grows_in_place() {
        let arena = Arena::<SIZE>::new();
        let (first, _) = fill(&arena, layout(10, 1), 1);
        let (last, _) = fill(&arena, layout(10, 1), 2);
        assert_eq!(unsafe { arena.realloc(last, layout(10, 1), 20) }, last);
        let moved = unsafe { arena.realloc(first, layout(10, 1), 30) };
        assert!(arena.offset(moved) > arena.offset(last) && holds(moved, 10, 1) && holds(last, 10, 2));
        let beyond = unsafe { arena.realloc(moved, layout(30, 1), SIZE) };
        assert!(arena.offset(beyond).is_none() && holds(beyond, 10, 1));
        unsafe { arena.dealloc(beyond, layout(SIZE, 1)) };
    }
}
