// A spool as a stream of its entries: for tests, which are in no hurry.
import type { Entry, Spool } from '../../gateway/spool/spool.ts'

export async function* readSpool(spool: Pick<Spool, 'take' | 'ready'>, signal: AbortSignal): AsyncIterable<Entry> {
  while (await spool.ready(signal)) {
    for (let entry = spool.take(); entry; entry = signal.aborted ? undefined : spool.take()) yield entry
  }
}
