//! The meter: a compiler middleware that makes guest code ask for the time, about every [`SLICE_POINTS`] of work.
//!
//! Every operator costs points; at every control operator the points of the block are taken off a counter (a global of
//! the module). When the counter runs out, the guest does not die: it executes `memory.grow 0`, which
//! [`super::clock::ClockedMemory`] answers with the size, or with -1 when the deadline of the call has passed. On -1 it
//! executes `unreachable`, otherwise it takes the next slice.
//!
//! So the *clock* decides, not a calibrated rate: a guest gets all the time until its deadline whatever it spends the
//! time on (computing, or waiting in a host call), and overshoots by one slice and the operator it is in. Points only
//! bound how long a slice can be, so weights need to be right within a factor of ten, and no calibration is needed.
//! There is no second thread and no memory that two threads write: nothing can race. Bulk operators are charged by the
//! length that is on the stack.
//!
//! It must never let a loop or a recursion pass without passing a control operator that it has charged.

use std::sync::OnceLock;

use wasmer::sys::wasmparser::{BlockType, Operator};
use wasmer::sys::{FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware};
use wasmer::{GlobalInit, GlobalType, LocalFunctionIndex, ModuleInfo, Mutability, Type};

/// Goes into the key of cached artifacts: raise it whenever the code that the meter emits changes.
pub(super) const METER_VERSION: u32 = 1;

/// Points between two looks at the clock: some 50 µs of plain operators.
const SLICE_POINTS: i64 = 100_000;

/// The meter of one module. Refuses a second one.
#[derive(Debug, Default)]
pub(super) struct Meter {
    globals: OnceLock<Globals>,
}

/// Indexes of the two globals that the meter adds. Neither is exported, and the guest's own code was validated before
/// they existed, so it cannot name them.
#[derive(Clone, Copy, Debug)]
struct Globals {
    points: u32,
    length: u32,
}

impl ModuleMiddleware for Meter {
    fn generate_function_middleware<'a>(&self, _: LocalFunctionIndex) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        let globals = *self.globals.get().expect("wasmer transforms the module before its functions");
        Box::new(FunctionMeter { globals, block_points: 0 })
    }

    fn transform_module_info(&self, info: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        let points = info.globals.push(GlobalType::new(Type::I64, Mutability::Var)).as_u32();
        info.global_initializers.push(GlobalInit::I64Const(0));
        let length = info.globals.push(GlobalType::new(Type::I32, Mutability::Var)).as_u32();
        info.global_initializers.push(GlobalInit::I32Const(0));
        let second = |_| MiddlewareError::new("meter", "a meter serves one module");
        self.globals.set(Globals { points, length }).map_err(second)
    }
}

#[derive(Debug)]
struct FunctionMeter {
    globals: Globals,
    block_points: i64,
}

impl FunctionMeter {
    /// Takes the points of the block off the counter and asks for the time when it has run out.
    fn charge<'a>(&mut self, state: &mut MiddlewareReaderState<'a>) {
        let points = std::mem::take(&mut self.block_points);
        let counter = self.globals.points;
        state.extend(&[
            Operator::GlobalGet { global_index: counter },
            Operator::I64Const { value: points },
            Operator::I64Sub,
            Operator::GlobalSet { global_index: counter },
            Operator::GlobalGet { global_index: counter },
            Operator::I64Const { value: 0 },
            Operator::I64LtS,
            Operator::If { blockty: BlockType::Empty },
            Operator::I32Const { value: 0 },
            Operator::MemoryGrow { mem: 0 },
            Operator::I32Const { value: -1 },
            Operator::I32Eq,
            Operator::If { blockty: BlockType::Empty },
            Operator::Unreachable,
            Operator::End,
            Operator::I64Const { value: SLICE_POINTS },
            Operator::GlobalSet { global_index: counter },
            Operator::End,
        ]);
    }

    /// Takes a point off for every `1 << units_log2` units of the length that lies on top of the stack, and leaves it
    /// there.
    fn charge_length<'a>(&mut self, units_log2: i64, state: &mut MiddlewareReaderState<'a>) {
        let Globals { points, length } = self.globals;
        state.extend(&[
            Operator::GlobalSet { global_index: length },
            Operator::GlobalGet { global_index: points },
            Operator::GlobalGet { global_index: length },
            Operator::I64ExtendI32U,
            Operator::I64Const { value: units_log2 },
            Operator::I64ShrU,
            Operator::I64Sub,
            Operator::GlobalSet { global_index: points },
        ]);
        self.charge(state);
        state.push_operator(Operator::GlobalGet { global_index: length });
    }
}

impl<'a> FunctionMiddleware<'a> for FunctionMeter {
    fn feed(&mut self, operator: Operator<'a>, state: &mut MiddlewareReaderState<'a>) -> Result<(), MiddlewareError> {
        let points = points_of(&operator);
        self.block_points = self.block_points.saturating_add(points);
        match length_unit_log2(&operator) {
            Some(units_log2) => self.charge_length(units_log2, state),
            None if is_control(&operator) => self.charge(state),
            None => {}
        }
        state.push_operator(operator);
        Ok(())
    }
}

/// Sources and targets of branches and calls: a block ends before each.
fn is_control(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::Loop { .. }
            | O::If { .. }
            | O::Else
            | O::End
            | O::Br { .. }
            | O::BrIf { .. }
            | O::BrTable { .. }
            | O::BrOnNull { .. }
            | O::BrOnNonNull { .. }
            | O::Return
            | O::Call { .. }
            | O::CallIndirect { .. }
            | O::CallRef { .. }
            | O::ReturnCall { .. }
            | O::ReturnCallIndirect { .. }
            | O::ReturnCallRef { .. }
    )
}

/// For operators that work in proportion to the length on top of the stack: how much of it one point pays for.
fn length_unit_log2(operator: &Operator<'_>) -> Option<i64> {
    use Operator as O;
    match operator {
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => Some(3),
        O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } | O::TableGrow { .. } => Some(0),
        _ => None,
    }
}

/// Points of one operator, about a nanosecond each or less.
fn points_of(operator: &Operator<'_>) -> i64 {
    use Operator as O;
    match operator {
        O::Call { .. } | O::CallIndirect { .. } | O::CallRef { .. } => 10,
        O::ReturnCall { .. } | O::ReturnCallIndirect { .. } | O::ReturnCallRef { .. } => 10,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => 10,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 20,
        O::F32Div | O::F64Div | O::F32Sqrt | O::F64Sqrt => 10,
        O::F32x4Div | O::F64x2Div | O::F32x4Sqrt | O::F64x2Sqrt => 20,
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest => 10,
        O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest => 10,
        O::MemoryGrow { .. } => 5_000,
        O::TableGrow { .. } => 1_000,
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => 30,
        O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => 50,
        O::TableGet { .. } | O::TableSet { .. } | O::RefFunc { .. } | O::DataDrop { .. } | O::ElemDrop { .. } => 20,
        _ => 1,
    }
}
