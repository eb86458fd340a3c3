import Glibc
import PacketInspect

/// Simulates sessions, benign and attacked, as packets; runs them through the inspector; and tells what it flagged.
/// scripts/detection.sh runs it.
func fail(_ message: String, _ status: Int32) -> Never {
  print(message)
  exit(status)
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments == ["cost"] {
  MixCost.run()
  ShapeCost.run()
  exit(0)
}
guard let settings = Settings(arguments) else { fail(Settings.usage, 64) }
guard let book = NameBook() else { fail("this host has no Public Suffix List", 1) }
let tables = Tables(settings: settings, book: book)
if settings.tables.contains("benign") { tables.benign() }
if settings.tables.contains("attacks") { tables.attacks() }
if settings.tables.contains("mix") { tables.mix() }
