import Foundation
import FuzzEntries

/// What libFuzzer calls for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
  let input = unsafe UnsafeRawBufferPointer(start: start, count: count)
  Chosen.entry.run(unsafe input.bytes)
  return 0
}

/// What libFuzzer calls once, before anything else: where seeds are wanted, they are made and that is all.
@_cdecl("LLVMFuzzerInitialize")
public func fuzzInitialize(_ count: UnsafeMutableRawPointer?, _ words: UnsafeMutableRawPointer?) -> CInt {
  do {
    guard let made = try Chosen.makeSeeds() else { return 0 }
    print("\(made) seeds")
    exit(0)
  } catch {
    print("Fuzz: no seeds: \(error)")
    exit(1)
  }
}
