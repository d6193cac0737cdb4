// One gateway per directory: an empty file whose name says which process holds it.
import { join } from 'node:path'
import { GatewayError } from '../errors.ts'
import type { SpoolFs } from './fs.ts'

/*
   lock.4711.183920     process 4711, which started at tick 183920

   Each creates its own and looks for others then. Of two at the same moment at least one sees the other, so both may be refused, and never
   both let in. The name is there with the file, and no byte of a full disk is asked for. Those of dead processes anybody may remove.
*/
const prefix = 'lock.'

/**
 * Takes the directory and returns how to give it back. The lock of a process that no longer runs is taken over.
 * Rejects with SPOOL_LOCKED. Processes are told apart on one machine only: containers that share a volume do not see each other.
 */
export async function lockDir(fs: SpoolFs, dir: string): Promise<() => Promise<void>> {
  const owner = await fs.owner()
  const own = nameOf(owner)
  if (!(await create(fs, join(dir, own)))) throw locked(dir, owner)
  const unlock = () => fs.remove(join(dir, own))
  try {
    for (const name of await fs.list(dir)) {
      if (!name.startsWith(prefix) || name === own) continue
      const holder = name.slice(prefix.length).replaceAll('.', ' ')
      if (await fs.isRunning(holder)) throw locked(dir, holder)
      await fs.remove(join(dir, name)).catch(ignoreMissing)
    }
  } catch (error) {
    await unlock()
    throw error
  }
  return unlock
}

const nameOf = (owner: string) => `${prefix}${owner.replaceAll(' ', '.')}`

/** false: it is there already. */
async function create(fs: SpoolFs, path: string): Promise<boolean> {
  const file = await fs.open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined
    throw error
  })
  await file?.close()
  return file !== undefined
}

function locked(dir: string, holder: string): GatewayError {
  const message = `process ${holder.split(' ')[0]} already uses ${dir}; stop it, or give this one another directory`
  return new GatewayError('SPOOL_LOCKED', message, { details: { dir, holder } })
}

/** Somebody else removed it at the same moment. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
