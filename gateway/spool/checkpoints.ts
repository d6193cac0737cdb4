// Writes the cursor, and deletes the segments that it no longer needs (invariants 10 and 11).
import { GatewayError } from '../errors.ts'
import { type Cursor, type CursorFiles, cursorNames, openCursor } from './cursor.ts'
import type { SpoolFs } from './fs.ts'
import type { SpoolHealth } from './health.ts'
import type { PlaceLosses } from './losses.ts'
import type { Progress } from './progress.ts'
import type { Segments } from './segments.ts'

export interface CheckpointsOptions {
  readonly fs: SpoolFs
  readonly dir: string
  readonly segments: Segments
  readonly progress: Progress
  readonly losses: PlaceLosses
  readonly health: SpoolHealth
}

export class Checkpoints {
  readonly #options: CheckpointsOptions
  #files: CursorFiles | undefined
  #writing: Promise<void> | undefined

  constructor(options: CheckpointsOptions) {
    this.#options = options
  }

  /** The cursor that the last run left. */
  async open(): Promise<Cursor | undefined | 'damaged'> {
    this.#files = await openCursor(this.#options.fs, this.#options.dir)
    return this.#files.found
  }

  /** Creates both files, so that a full disk later has no part of the cursor to find room for. */
  async create(): Promise<void> {
    for (const _ of cursorNames) await this.saveNow()
  }

  /** Writes the cursor even if nothing has changed. */
  async saveNow(): Promise<void> {
    this.#options.progress.isDirty = true
    await this.save()
  }

  /** Writes the cursor if something has changed. A failure is reported, and the next call tries again. */
  save(): Promise<void> {
    if (!this.#options.progress.isDirty) return this.#writing ?? Promise.resolve()
    this.#writing ??= this.#write()
    return this.#writing
  }

  /** Resolves when everything that was settled before the call is in the cursor on disk. Rejects with SPOOL_FAILED. */
  async checkpoint(): Promise<void> {
    const { progress, dir } = this.#options
    await this.#writing
    progress.isDirty ||= !this.#files?.exists()
    await this.save()
    if (progress.isDirty) throw new GatewayError('SPOOL_FAILED', 'the cursor cannot be written', { details: { dir } })
  }

  /** Writes a first cursor if there is none (invariant 7). */
  async ensure(): Promise<void> {
    if (!this.#files!.exists()) await this.checkpoint()
  }

  /** Creates the files again if one of them is not among these names of the directory. */
  async restoreMissing(names: readonly string[]): Promise<void> {
    if (cursorNames.every((name) => names.includes(name))) return
    await this.#files?.forget()
    this.#options.progress.isDirty = true
  }

  /** Resolves when no write is under way. */
  async idle(): Promise<void> {
    await this.#writing
  }

  async close(): Promise<void> {
    await this.#files?.close().catch((error) => this.#options.health.callFailed('close', error))
  }

  async #write(): Promise<void> {
    const { progress, losses, segments, health } = this.#options
    progress.isDirty = false
    try {
      await losses.saved() // before the cursor forgets what is missing (invariant 11)
      const released = segments.released()
      await this.#files?.write(progress.toCursor(segments.values()))
      segments.delete(released)
    } catch (error) {
      progress.isDirty = true
      health.callFailed('cursor', error)
    }
    this.#writing = undefined
  }
}
