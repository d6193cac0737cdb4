// One gateway per directory: a file that names the process which holds it.
import { join } from 'node:path'
import { GatewayError } from '../errors.ts'
import { readText } from './cursor.ts'
import type { SpoolFs } from './fs.ts'

/**
 * Takes the directory and returns how to give it back. The lock of a process that no longer runs is taken over.
 * Rejects with SPOOL_LOCKED. Processes are told apart on one machine only: containers that share a volume do not see each other.
 */
export async function lockDir(fs: SpoolFs, dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'lock')
  const owner = await fs.owner()
  if (!(await claim(fs, path, owner))) {
    const holder = await readText(fs, path)
    if (holder !== '' && (await fs.isRunning(holder))) {
      throw new GatewayError(
        'SPOOL_LOCKED',
        `process ${holder.split(' ')[0]} already uses ${dir}; stop it, or give this one another directory`,
        {
          details: { dir, holder },
        },
      )
    }
    await fs.remove(path)
    if (!(await claim(fs, path, owner))) {
      throw new GatewayError('SPOOL_LOCKED', `another process has just taken ${dir}`, { details: { dir } })
    }
  }
  return () => fs.remove(path)
}

async function claim(fs: SpoolFs, path: string, owner: string): Promise<boolean> {
  const file = await fs.open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined
    throw error
  })
  try {
    await file?.write(Buffer.from(owner), 0)
  } finally {
    await file?.close()
  }
  return file !== undefined
}
