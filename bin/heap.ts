// Node leaves garbage lying where memory is plenty. A gateway should not look larger because a queue is away: its heap gets limits of its own.
import { setFlagsFromString } from 'node:v8'

/*
   Up to `busyPerSecond` the old generation is collected when it has grown by 20 %, and the young one has 2 × 32 MiB: that keeps memory flat
   and costs a few percent of a core that has time. Above it, collecting so often would halve what the gateway can take, and V8 decides.
   V8 takes the size of the young generation only at its start, so the process replaces itself: same pid, same sockets and files, 40 ms.
*/
const flags = ['--max-semi-space-size=32', '--heap-growing-percent=20']
/** Messages accepted and messages delivered, together: draining a backlog is work too. */
const busyPerSecond = 20_000
const lookEveryMs = 1_000

/** Returns when the heap is as it should be, or somebody has said how they want it, or this process cannot be replaced. */
export function limitHeap(): void {
  const given = [...process.execArgv, ...(process.env.NODE_OPTIONS?.split(/\s+/) ?? [])]
  const isSet = given.some((flag) => /^--(max[-_])?(semi[-_]space|old[-_]space|heap)/.test(flag))
  // A parent's channel would not survive it.
  if (isSet || process.send || process.platform === 'win32' || !process.execve) return
  process.execve(process.execPath, [process.execPath, ...flags, ...process.execArgv, ...process.argv.slice(1)])
}

/** Follows the messages accepted and delivered so far. Of a heap that was limited by somebody else it keeps away. */
export function loosenHeapWhenBusy(passed: () => number, clock: { every(ms: number, call: () => void): () => void }): void {
  if (!flags.every((flag) => process.execArgv.includes(flag))) return
  let before = passed()
  let wasBusy = false
  clock.every(lookEveryMs, () => {
    const now = passed()
    const isBusy = (now - before) * 1_000 > busyPerSecond * lookEveryMs
    before = now
    if (isBusy === wasBusy) return
    wasBusy = isBusy
    setFlagsFromString(`--heap-growing-percent=${isBusy ? 0 : 20}`)
  })
}
