// From 1.29 on ONNX Runtime tells Microsoft of each session (model's file and graph name, providers, processor) from a thread of its own,
// and a process waits at its end for an upload that hangs: 310 s behind a proxy that does not answer. It reads this as it is loaded.
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
