//! Components that no compiler of a language makes: the good one, with more in it.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, Instruction, MemorySection, MemoryType, Module,
    RefType, TableSection, TableType, TypeSection, ValType,
};

/// The component with a section more.
fn with_section(component: &[u8], id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.push(id);
    bytes.extend(leb(content.len()));
    bytes.extend(content);
    bytes
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// How many core modules the component has on its outermost level.
fn modules_of(component: &[u8]) -> usize {
    let (mut at, mut modules) = (8, 0);
    while at < component.len() {
        modules += usize::from(component[at] == 1);
        let (mut size, mut shift) = (0, 0);
        loop {
            at += 1;
            size |= usize::from(component[at] & 0x7f) << shift;
            shift += 7;
            if component[at] & 0x80 == 0 {
                break;
            }
        }
        at += 1 + size;
    }
    modules
}

/// The component with a module more, instantiated so many times; nothing uses the instances.
pub fn with_module(component: &[u8], module: &Module, instances: usize) -> Vec<u8> {
    let index = modules_of(component);
    let mut bytes = with_section(component, 1, module.as_slice());
    if instances > 0 {
        let mut content = leb(instances);
        for _ in 0..instances {
            content.push(0);
            content.extend(leb(index));
            content.push(0);
        }
        bytes = with_section(&bytes, 2, &content);
    }
    bytes
}

/// A custom section, to tell two components apart.
pub fn with_remark(component: &[u8], name: &str) -> Vec<u8> {
    let mut content = leb(name.len());
    content.extend(name.as_bytes());
    with_section(component, 0, &content)
}

/// A module with memories of a page, and tables.
pub fn memories_and_tables(memories: u32, tables: u32) -> Module {
    let mut module = Module::new();
    let mut table_section = TableSection::new();
    for _ in 0..tables {
        table_section.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: 1_000,
            maximum: None,
            shared: false,
        });
    }
    let mut memory_section = MemorySection::new();
    for _ in 0..memories {
        memory_section.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
    }
    module.section(&table_section).section(&memory_section);
    module
}

/// A module of functions `() -> ()` with these bodies.
fn functions(bodies: Vec<Function>) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut section = FunctionSection::new();
    let mut code = CodeSection::new();
    for body in &bodies {
        section.function(0);
        code.function(body);
    }
    module.section(&types).section(&section).section(&code);
    module
}

/// Nested loops over locals: the compiler's work is their product.
pub fn loops_and_locals(loops: u32, locals: u32) -> Module {
    let mut body = Function::new([(locals, ValType::I32)]);
    for _ in 0..loops {
        body.instruction(&Instruction::Loop(BlockType::Empty));
    }
    for local in 0..locals {
        body.instruction(&Instruction::LocalGet(local))
            .instruction(&Instruction::LocalGet((local + 1) % locals))
            .instruction(&Instruction::I32Add)
            .instruction(&Instruction::LocalSet(local));
    }
    for _ in 0..loops {
        body.instruction(&Instruction::LocalGet(0))
            .instruction(&Instruction::BrIf(0))
            .instruction(&Instruction::End);
    }
    body.instruction(&Instruction::End);
    functions(vec![body])
}

/// Blocks within blocks, deeper than a stack is.
pub fn deep_blocks(depth: u32) -> Module {
    let mut body = Function::new([]);
    for _ in 0..depth {
        body.instruction(&Instruction::Block(BlockType::Empty));
    }
    for _ in 0..=depth {
        body.instruction(&Instruction::End);
    }
    functions(vec![body])
}

/// A jump table with so many targets, so many times.
pub fn jump_tables(targets: u32, times: u32) -> Module {
    let mut body = Function::new([]);
    body.instruction(&Instruction::Block(BlockType::Empty));
    for _ in 0..times {
        body.instruction(&Instruction::Block(BlockType::Empty))
            .instruction(&Instruction::I32Const(1))
            .instruction(&Instruction::BrTable((0..targets).map(|n| n % 2).collect::<Vec<_>>().into(), 1))
            .instruction(&Instruction::End);
    }
    body.instruction(&Instruction::End).instruction(&Instruction::End);
    functions(vec![body])
}

/// So many functions that do nothing.
pub fn many_functions(count: usize) -> Module {
    let mut body = Function::new([]);
    body.instruction(&Instruction::End);
    functions(vec![body; count])
}

/// A function with so many locals of each of several types.
pub fn many_locals(locals: u32) -> Module {
    let mut body = Function::new([(locals, ValType::I64), (locals, ValType::V128), (locals, ValType::I32)]);
    body.instruction(&Instruction::End);
    functions(vec![body])
}

/// So many types, globals and exports with long names.
pub fn many_of_all(count: u32) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    (0..count).for_each(|n| types.ty().function(vec![ValType::I32; (n % 100) as usize], []));
    let mut globals = GlobalSection::new();
    let mut exports = ExportSection::new();
    for n in 0..count {
        let ty = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
        globals.global(ty, &ConstExpr::i32_const(1));
        exports.export(&format!("{n}{}", "n".repeat(1_000)), ExportKind::Global, n);
    }
    module.section(&types).section(&globals).section(&exports);
    module
}

/// A memory whose data stand at its end, and a table whose elements do.
pub fn far_data(pages: u64, bytes: usize) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut section = FunctionSection::new();
    section.function(0);
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 10_000_000,
        maximum: None,
        shared: false,
    });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut elements = ElementSection::new();
    elements.active(None, &ConstExpr::i32_const(9_999_000), Elements::Functions(vec![0; 1_000].into()));
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    body.instruction(&Instruction::End);
    code.function(&body);
    let mut data = DataSection::new();
    let end = (pages * 65_536 - bytes as u64) as u32;
    data.active(0, &ConstExpr::i32_const(end.cast_signed()), vec![1; bytes]);
    module
        .section(&types)
        .section(&section)
        .section(&tables)
        .section(&memories)
        .section(&elements)
        .section(&code)
        .section(&data);
    module
}

/// Components within components.
pub fn nested(depth: usize) -> Vec<u8> {
    let header = b"\0asm\x0d\0\x01\0";
    let mut inner = header.to_vec();
    for _ in 0..depth {
        inner = with_section(header, 4, &inner);
    }
    inner
}

/// Types of a component that double with each step: lists in tuples of the type before, twice.
pub fn doubling_types(steps: usize) -> Vec<u8> {
    let mut content = leb(steps + 1);
    // A list of u8.
    content.extend([0x70, 0x7d]);
    for step in 0..steps {
        content.extend([0x6f, 2]);
        content.extend(leb(step));
        content.extend(leb(step));
    }
    with_section(b"\0asm\x0d\0\x01\0", 7, &content)
}
