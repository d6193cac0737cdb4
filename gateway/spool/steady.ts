// The steady clock of a data directory: steps of the wall clock are reported, and kept in <dataDir>/clock for the next run.
import * as z from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { createSteadyClock, type SteadyClock } from '../../lib/steady.ts'
import { textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import type { SpoolFs } from './fs.ts'
import { openTurns } from './turns.ts'

export interface KeptSteadyClock extends SteadyClock {
  stop(): Promise<void>
}

export interface SteadyOptions {
  readonly clock: Clock
  readonly observe: Observe
  /** Without a disk, nothing that expires outlives the process. */
  readonly disk?: { readonly fs: SpoolFs; readonly dir: string } | undefined
}

const checkEveryMs = 1_000
const schema = z.strictObject({ epochs: z.array(z.strictObject({ from: z.number().nullable(), offset: z.number() })) })

/** -Infinity is no JSON. */
const toStored = ({ from, offset }: { readonly from: number; readonly offset: number }) => ({
  from: Number.isFinite(from) ? from : null,
  offset,
})

export async function openSteadyClock({ clock, observe, disk }: SteadyOptions): Promise<KeptSteadyClock> {
  const names = disk ? await disk.fs.list(disk.dir).catch(() => []) : []
  let files = disk && names.includes('clock') ? await openTurns(disk.fs, disk.dir, 'clock', schema) : undefined
  if (files?.found === 'damaged') observe.record('spool.corrupted', { detail: 'the record of clock steps is unreadable' })
  const stored = typeof files?.found === 'object' ? files.found.epochs : []
  const steady = createSteadyClock(
    clock,
    stored.map(({ from, offset }) => ({ from: from ?? Number.NEGATIVE_INFINITY, offset })),
  )
  let kept = steady.epochs()
  let saving: Promise<void> | undefined

  const write = async (epochs: typeof kept) => {
    if (disk) {
      await disk.fs.makeDir(disk.dir)
      files ??= await openTurns(disk.fs, disk.dir, 'clock', schema)
      await files.write({ epochs: epochs.map(toStored) })
    }
    kept = epochs
  }

  /** What cannot be written is tried again with the next check. */
  const save = () => {
    const epochs = steady.epochs()
    if (epochs === kept) return saving
    saving ??= write(epochs)
      .catch((error) => observe.record('spool.failed', { code: error.code ?? 'unknown', detail: `clock: ${textOf(error)}` }))
      .finally(() => {
        saving = undefined
      })
    return saving
  }

  const check = () => {
    const ms = steady.check()
    if (ms !== 0) observe.record('clock.stepped', { ms: Math.round(ms), detail: 'what expires goes on by elapsed time' })
    void save()
    return ms
  }

  const stopTimer = clock.every(checkEveryMs, check)
  return {
    ...steady,
    check,
    of(wall) {
      check()
      return steady.of(wall)
    },
    async stop() {
      stopTimer()
      check()
      await saving
      await save()
      await files?.close().catch(() => undefined)
    },
  }
}
