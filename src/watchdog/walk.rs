//! The frames of a sample, found with the unwind tables of the programs and libraries that are
//! mapped.
//!
//! ```text
//!   /proc/self/maps  which files are mapped where
//!   /proc/self/mem   their headers, which tell where the unwind tables are, and the tables
//!   framehop         registers, copied stack, tables -> the address of each frame
//! ```
//!
//! Invariants:
//! - No lock of the loader is taken, and no memory of the process is read directly: a library may
//!   be loaded or unloaded meanwhile, also by the thread that was sampled. The read of memory that
//!   is gone fails.
//! - Only tables of files whose code may be on the stack are read.

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;

#[cfg(target_arch = "aarch64")]
use framehop::aarch64::{
    CacheAarch64 as Cache, UnwindRegsAarch64, UnwinderAarch64 as MachineUnwinder,
};
#[cfg(target_arch = "x86_64")]
use framehop::x86_64::{CacheX86_64 as Cache, UnwindRegsX86_64, UnwinderX86_64 as MachineUnwinder};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};

use crate::watchdog::sample::{Registers, Sample};

/// The most frames of a trace.
const MOST_FRAMES: usize = 256;

/// The largest unwind tables that are read.
const MOST_TABLES: u64 = 128 << 20;

/// The address that ends a trace which does not go on to the root.
const CUT: usize = usize::MAX;

/// Returns the addresses of the frames of `sample`, the innermost first: that of the interrupted
/// instruction plus one, and return addresses.
///
/// # Errors
///
/// Returns the reason if there are none.
pub(crate) fn addresses(sample: &Sample) -> Result<Vec<usize>, &'static str> {
    let registers = sample.registers.ok_or("its registers are unknown")?;
    if sample.stack.is_empty() {
        return Err("/proc/self/mem cannot be read");
    }
    let maps = fs::read_to_string("/proc/self/maps");
    let maps = maps.map_err(|_| "/proc/self/maps cannot be read")?;
    let memory = File::open("/proc/self/mem").map_err(|_| "/proc/self/mem cannot be read")?;
    let mut unwinder = MachineUnwinder::<Vec<u8>>::new();
    for mapped in mapped_files(&maps).filter(|file| file.may_be_on(sample)) {
        if let Some(module) = mapped.read(&memory) {
            unwinder.add_module(module);
        }
    }
    Ok(walk(&unwinder, registers, sample))
}

/// Walks to the root of the stack. There a coroutine's first frame returns to the stack that has
/// resumed it, which was not copied.
fn walk(unwinder: &MachineUnwinder<Vec<u8>>, registers: Registers, sample: &Sample) -> Vec<usize> {
    let mut cache = Cache::new();
    let mut machine = registers.for_machine();
    let mut at = FrameAddress::from_instruction_pointer(registers.pc);
    let mut addresses = vec![number(registers.pc) + 1];
    while addresses.len() < MOST_FRAMES {
        let mut leaves_copy = false;
        let mut read = |address| {
            let word = sample.word_at(address);
            leaves_copy |= word.is_none();
            word.ok_or(())
        };
        let caller = unwinder.unwind_frame(at, &mut machine, &mut cache, &mut read);
        if leaves_copy && !sample.is_cut() {
            return addresses;
        }
        match caller.map(|caller| caller.and_then(FrameAddress::from_return_address)) {
            Ok(Some(caller)) if !leaves_copy => {
                at = caller;
                addresses.push(number(caller.address()));
            }
            Ok(None) => return addresses,
            _ => break,
        }
    }
    addresses.push(CUT);
    addresses
}

fn number(address: u64) -> usize {
    usize::try_from(address).unwrap_or(0)
}

impl Registers {
    #[cfg(target_arch = "x86_64")]
    fn for_machine(self) -> UnwindRegsX86_64 {
        UnwindRegsX86_64::new(self.pc, self.sp, self.fp)
    }

    #[cfg(target_arch = "aarch64")]
    fn for_machine(self) -> UnwindRegsAarch64 {
        // Return addresses of functions that sign them have bits that are no part of the address.
        let mask = framehop::aarch64::PtrAuthMask(u64::MAX >> 16);
        UnwindRegsAarch64::new_with_ptr_auth_mask(mask, self.lr, self.sp, self.fp)
    }
}

impl Sample {
    /// Returns the word at `address`, if that is in the copied stack.
    fn word_at(&self, address: u64) -> Option<u64> {
        let base = self.registers?.sp;
        let start = usize::try_from(address.checked_sub(base)?).ok()?;
        let word = self.stack.get(start..start.checked_add(8)?)?;
        Some(u64::from_ne_bytes(word.try_into().ok()?))
    }
}

/// A file whose code is mapped.
#[derive(Debug, Eq, PartialEq)]
struct MappedFile<'a> {
    name: &'a str,
    /// The address of the start of the file.
    base: u64,
    /// The addresses from there to the end of its code.
    range: Range<u64>,
}

/// Returns the files in `maps`, a text like that of `/proc/self/maps`, that have code.
fn mapped_files(maps: &str) -> impl Iterator<Item = MappedFile<'_>> {
    let mut start: Option<(&str, u64)> = None;
    maps.lines().filter_map(move |line| {
        let mut words = line.split_ascii_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let (access, offset) = (words.next()?, words.next()?);
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (from, to, offset) = (number(from)?, number(to)?, number(offset)?);
        let name = line[line.find(['/', '['])?..].trim_end();
        if offset == 0 && start.is_none_or(|(known, _)| known != name) {
            start = Some((name, from));
        }
        let (known, base) = start?;
        let is_code = known == name && access.contains('x');
        is_code.then_some(MappedFile { name, base, range: base..to })
    })
}

impl MappedFile<'_> {
    /// Returns whether a word on the stack of `sample` may be an address of its code.
    fn may_be_on(&self, sample: &Sample) -> bool {
        let pc = sample.registers.map(|registers| registers.pc);
        let lr = sample.registers.map(|registers| registers.lr);
        let words = sample.stack.chunks_exact(8);
        let words = words.filter_map(|word| word.try_into().ok().map(u64::from_ne_bytes));
        pc.into_iter().chain(lr).chain(words).any(|word| self.range.contains(&word))
    }

    /// Reads its unwind tables from `memory`.
    fn read(&self, memory: &File) -> Option<Module<Vec<u8>>> {
        let tables = Elf::read(memory, self.base)?.tables(memory)?;
        let info = ExplicitModuleSectionInfo {
            base_svma: self.base,
            eh_frame_svma: Some(tables.frames.start..tables.frames.end()),
            eh_frame: Some(tables.frames.bytes),
            eh_frame_hdr_svma: Some(tables.index.start..tables.index.end()),
            eh_frame_hdr: Some(tables.index.bytes),
            ..ExplicitModuleSectionInfo::default()
        };
        Some(Module::new(self.name.into(), self.range.clone(), self.base, info))
    }
}

/// A part of the memory of the process.
struct Part {
    start: u64,
    bytes: Vec<u8>,
}

impl Part {
    fn read(memory: &File, start: u64, len: u64) -> Option<Part> {
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        memory.read_exact_at(&mut bytes, start).ok()?;
        Some(Part { start, bytes })
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// The unwind tables of a file: what was `.eh_frame`, and its index.
struct Tables {
    index: Part,
    frames: Part,
}

/// A segment of a file.
#[derive(Copy, Clone)]
struct Segment {
    kind: u32,
    /// Its address in the process.
    start: u64,
    len: u64,
}

/// The segments of a file that is mapped.
struct Elf(Vec<Segment>);

const LOAD: u32 = 1;
/// The index of the unwind tables, `PT_GNU_EH_FRAME`.
const INDEX: u32 = 0x6474_e550;

impl Elf {
    fn read(memory: &File, base: u64) -> Option<Elf> {
        let header = Part::read(memory, base, 64)?.bytes;
        if !header.starts_with(b"\x7fELF\x02") {
            return None;
        }
        let (offset, size) = (word(&header, 32)?, usize::from(half(&header, 54)?));
        let count = usize::from(half(&header, 56)?);
        let table = Part::read(memory, base.checked_add(offset)?, (size * count) as u64)?.bytes;
        let raw = || table.chunks_exact(size.max(1));
        let number = |segment: &[u8], at| word(segment, at);
        let kind = |segment: &[u8]| Some(u32::from_ne_bytes(segment.get(..4)?.try_into().ok()?));
        // The address that the file gives to its own start.
        let first =
            raw().find(|segment| kind(segment) == Some(LOAD) && number(segment, 8) == Some(0));
        let own_start = number(first?, 16)?;
        let segment = |segment: &[u8]| {
            let start = number(segment, 16)?.wrapping_sub(own_start).wrapping_add(base);
            Some(Segment { kind: kind(segment)?, start, len: number(segment, 40)? })
        };
        Some(Elf(raw().filter_map(segment).collect()))
    }

    fn tables(&self, memory: &File) -> Option<Tables> {
        let index = self.0.iter().find(|segment| segment.kind == INDEX)?;
        let index = Part::read(memory, index.start, index.len.min(MOST_TABLES))?;
        let start = start_of_frames(&index)?;
        let holds =
            |it: &&Segment| it.kind == LOAD && it.start <= start && start - it.start < it.len;
        let segment = self.0.iter().find(holds)?;
        // Their end is not known. An index after them ends them, or else the segment does.
        let end = segment.start.checked_add(segment.len)?;
        let end = if start < index.start { end.min(index.start) } else { end };
        let frames = Part::read(memory, start, (end - start).min(MOST_TABLES))?;
        Some(Tables { index, frames })
    }
}

/// Returns the address of the tables to which `index` belongs. All linkers write it as a signed
/// distance of four bytes.
fn start_of_frames(index: &Part) -> Option<u64> {
    const VERSION_1: u8 = 1;
    const DISTANCE_OF_FOUR_BYTES: u8 = 0x1b;
    if !index.bytes.starts_with(&[VERSION_1, DISTANCE_OF_FOUR_BYTES]) {
        return None;
    }
    let distance = i32::from_ne_bytes(index.bytes.get(4..8)?.try_into().ok()?);
    (index.start + 4).checked_add_signed(distance.into())
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn files_with_code_are_found_with_their_start() {
        let maps = "\
            1000-2000 r--p 00000000 08:01 42   /srv/my service\n\
            2000-3000 r-xp 00001000 08:01 42   /srv/my service\n\
            3000-4000 rw-p 00002000 08:01 42   /srv/my service\n\
            4000-5000 rw-p 00000000 00:00 0 \n\
            6000-7000 r--p 00000000 08:01 43   /lib/data\n\
            8000-9000 r-xp 00000000 00:00 0    [vdso]\n";
        let found: Vec<_> = mapped_files(maps).collect();
        let service = MappedFile { name: "/srv/my service", base: 0x1000, range: 0x1000..0x3000 };
        let vdso = MappedFile { name: "[vdso]", base: 0x8000, range: 0x8000..0x9000 };
        assert_eq!(found, [service, vdso]);
    }
}
