import Glibc
import Testing

@testable import nfq_egressd

@Suite("The doctor's judgements of queue, files and sockets")
struct DiagnosisQueueTests {
  let base = DiagnosisTests()
  let service: Set<Finding.Check> = [.queueTraffic, .queueWaiting, .queueDrops]

  @Test("a queue that nobody has bound: what happens meanwhile is told")
  func unbound() throws {
    let finding = try base.only(.queue, also: service) { $0.queues = .shown([]) }
    #expect(finding.result == .fail)
    #expect(finding.detail == "nobody has bound queue 0: what agents send is dropped")
    let hidden = try base.only(
      .queue,
      also: service.union([
        .rules, .rulesOrder, .rulesIPv4, .rulesIPv6, .daemonAbsent, .queueNumbers, .markMask, .kernelTarget,
      ])
    ) {
      $0.queues = .shown([])
      $0.rules = .unrecorded("/r")
    }
    #expect(hidden.detail == "nobody has bound queue 0")
  }

  @Test("a queue that another has bound, that nobody asks packets of, or whose owner cannot be seen")
  func owners() throws {
    func finding(mode: Int = 2, _ owner: QueueOwner.Process?) throws -> Finding {
      try base.only(.queue) { $0.queues = .shown([try DiagnosisTests.sample(ids: (10, 12), mode: mode, owner: owner)]) }
    }
    let ours = QueueOwner.Process(id: "77", name: "nfq-egressd")
    #expect(try finding(ours).result == .ok)
    #expect(try finding(mode: 0, ours).result == .fail)
    #expect(try finding(QueueOwner.Process(id: "9", name: "snort")).detail.contains("process 9 (snort)"))
    #expect(try finding(QueueOwner.Process(id: "9", name: "snort")).result == .fail)
    #expect(try finding(nil).result == .warn)
  }

  @Test("a queue that was let go while the doctor looked")
  func vanished() throws {
    let finding = try base.only(.queueTraffic, also: [.queueWaiting, .queueDrops]) {
      var sample = try DiagnosisTests.sample(ids: (10, 12))
      sample.after = nil
      $0.queues = .shown([sample])
    }
    #expect(finding.result == .fail)
  }

  @Test("packets that come, that came, and that never did")
  func traffic() throws {
    func finding(_ ids: (UInt32, UInt32), queued: Int) throws -> Finding {
      try base.only(.queueTraffic) {
        $0.queues = .shown([try DiagnosisTests.sample(ids: ids)])
        $0.rules = .told(try DiagnosisTests.status(queued: queued))
      }
    }
    #expect(try finding((10, 12), queued: 5).detail.hasPrefix("2 packets"))
    #expect(try finding((.max, 1), queued: 5).detail.hasPrefix("2 packets"))
    #expect(try finding((7, 7), queued: 5).detail.hasPrefix("7 packets"))
    #expect(try finding((0, 0), queued: 5).result == .ok)
    #expect(try finding((0, 0), queued: 0).result == .warn)
  }

  @Test(
    "a daemon is stuck when packets wait and none was answered",
    arguments: [
      ((0, 0), Finding.Result.ok), ((0, 2), .ok), ((3, 5), .fail), ((3, 4), .ok), ((3, 0), .ok),
      ((7_000, 6_500), .warn),
    ])
  func waiting(waiting: (Int, Int), result: Finding.Result) throws {
    let finding = try base.only(.queueWaiting) {
      $0.queues = .shown([try DiagnosisTests.sample(waiting: waiting, ids: (10, 12))])
    }
    #expect(finding.result == result)
  }

  @Test("packets that the kernel dropped are a warning, with a word more while it goes on")
  func drops() throws {
    func finding(_ dropped: (Int, Int)) throws -> Finding {
      try base.only(.queueDrops) { $0.queues = .shown([try DiagnosisTests.sample(ids: (10, 12), dropped: dropped)]) }
    }
    #expect(try finding((0, 0)).result == .ok)
    #expect(try finding((3, 3)).result == .warn)
    #expect(try finding((3, 3)).detail.hasSuffix("was bound"))
    #expect(try finding((3, 4)).detail.hasSuffix("does so now"))
  }

  @Test("files: written, made, refused, without room, without a directory")
  func places() throws {
    func result(_ place: DoctorFacts.Place?) throws -> Finding.Result {
      try base.only(.events) { $0.events = place }.result
    }
    func place(_ file: Int32?, _ folder: Int32?, _ above: Int32? = nil, free: UInt64? = 1 << 40) -> DoctorFacts.Place {
      DoctorFacts.Place(path: "/e/eve.json", file: file, folder: folder, above: above, free: free)
    }
    #expect(try result(nil) == .ok)
    #expect(try result(place(0, 0)) == .ok)
    #expect(try result(place(nil, 0, free: nil)) == .ok)
    #expect(try result(place(EISDIR, 0)) == .fail)
    #expect(try result(place(nil, EROFS)) == .fail)
    // A file that is there is appended to, whatever holds of its directory; the store needs both.
    #expect(try result(place(0, EROFS)) == .ok)
    #expect(try base.only(.store) { $0.store = place(0, EROFS) }.result == .fail)
    #expect(try result(place(nil, nil, 0)) == .warn)
    #expect(try result(place(nil, nil, EROFS)) == .fail)
    #expect(try result(place(nil, nil, nil)) == .fail)
    #expect(try result(place(0, 0, free: 99_000_000)) == .warn)
    #expect(try result(place(0, 0, free: 900_000)) == .fail)
    #expect(try base.only(.store) { $0.store = nil }.result == .warn)
  }

  @Test("sockets that do not answer")
  func peers() throws {
    #expect(try base.only(.control) { $0.control = .silent("gone") }.result == .fail)
    let containers = try base.only(.containers) {
      $0.file.configuration?.sessions.containers = ContainerSource(socket: "/run/p.sock")
      $0.containers = .silent("/run/p.sock cannot be reached: No such file or directory")
    }
    #expect(containers.result == .fail)
  }

  @Test("the effective capabilities of a process")
  func capabilities() {
    #expect(HostFacts.effectiveCapabilities(inStatus: "Name:\tx\nCapEff:\t0000000000001000\nCapBnd:\t0\n") == 1 << 12)
    #expect(HostFacts.effectiveCapabilities(inStatus: "Name:\tx\n") == nil)
  }
}
