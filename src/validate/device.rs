//! The first steps on the GPU, before any model is read: allocate, set, copy there and back, compare.
//!
//! A small HIP program does it, built with the compiler of the pinned ROCm tree and run with the runtime that llama.cpp
//! gets. A kernel and a ROCm that do not fit each other list the GPU and fail at the first copy; llama.cpp then says
//! `out of memory`. So a failure names kernel, driver, firmware and ROCm.

use super::machine::Machine;
use super::nodes::GpuNodes;
use super::runner::Runner;
use super::subject::Subject;
use super::{Check, Device};
use crate::error::Result;

pub(super) const NAME: &str = "device";
const SOURCE: &str = include_str!("device.cpp");
/// The compiler in a ROCm tree.
const COMPILER: &str = "lib/llvm/bin/clang++";

/// Builds the program and runs it.
pub(super) fn check(
    runner: &Runner,
    subject: &Subject,
    (device, nodes): (Device, &GpuNodes),
    machine: &Machine,
) -> Result<Check> {
    if !subject.has_gpu_backend() {
        return Ok(Check::not_run(NAME, "the build has no backend for a GPU"));
    }
    if device == Device::Cpu {
        let why = if nodes.usable() { "the CPU was asked for".to_owned() } else { nodes.describe() };
        return Ok(Check::not_run(NAME, why));
    }
    let Some(rocm) = &subject.rocm else {
        return Ok(Check::not_run(NAME, "the lock has no ROCm tree"));
    };
    let Some(complete) = subject.complete.as_ref().filter(|tree| tree.path.join(COMPILER).exists()) else {
        return Ok(Check::not_run(NAME, "the ROCm tree with the compiler is not realized"));
    };
    runner.write("device.cpp", SOURCE.as_bytes())?;
    let prefix = &rocm.prefix;
    let program = Runner::inside("device");
    let compile = [
        format!("{prefix}/{COMPILER}"),
        "-std=c++17".to_owned(),
        "-O1".to_owned(),
        "-D__HIP_PLATFORM_AMD__".to_owned(),
        format!("-I{prefix}/include"),
        Runner::inside("device.cpp"),
        "-o".to_owned(),
        program.clone(),
        format!("-L{prefix}/lib"),
        "-lamdhip64".to_owned(),
        format!("-Wl,-rpath,{prefix}/lib"),
    ];
    let built = runner.run_with(prefix, complete, "device-build", &compile)?;
    if !built.success {
        return Ok(Check::not_run(NAME, format!("its program cannot be built: {}", built.last_line())));
    }
    let ran = runner.run("device", &[program])?;
    let said = ran.stdout.lines().last().unwrap_or_default().to_owned();
    Ok(if ran.success {
        Check::passed(NAME, said)
    } else {
        let said = if said.is_empty() { ran.last_line() } else { said };
        Check::failed(NAME, format!("{said}; {}", machine.describe()))
    })
}
