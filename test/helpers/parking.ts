// Parking on a file system in memory, in `/overflow/<name>`.
import type { ActionRef, Sink } from '../../gateway/actions/action.ts'
import { Parking, type ParkingOptions, withParking } from '../../gateway/delivery/parking.ts'
import type { MemoryFs } from './memory-fs.ts'

export function createTestParking(fs: MemoryFs, options: Omit<ParkingOptions, 'names' | 'rename'>): Parking {
  const filesIn = (name: string) => [...fs.files.keys()].filter((path) => path.startsWith(`/overflow/${name}/`))
  return new Parking({
    ...options,
    names: async () => parkedNames(fs),
    async rename(from, to) {
      for (const path of filesIn(from)) await fs.rename(path, path.replace(`/overflow/${from}/`, `/overflow/${to}/`))
    },
  })
}

/** Directories of parked messages. */
export function parkedNames(fs: MemoryFs): readonly string[] {
  return [...new Set([...fs.files.keys()].flatMap((path) => /^\/overflow\/([^/]+)\//.exec(path)?.[1] ?? []))]
}

export function park(parking: Parking, sink: Sink, ref: ActionRef) {
  return withParking(sink, parking.of(ref))
}
