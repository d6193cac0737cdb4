// The name under which somebody else's broker keeps what this gateway has not taken yet: the same after every start.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makePrivateSync, privateDirectory, privateFile } from '../../lib/private-files.ts'
import { GatewayError, textOf } from '../errors.ts'

/** It lives beside the spool: whoever has the one continues the session of the other. Throws DATA_DIR_UNUSABLE. */
export function keptClientId(dataDir: string, make: () => string): string {
  const file = join(dataDir, 'client-id')
  try {
    mkdirSync(dataDir, { recursive: true, mode: privateDirectory })
    try {
      writeFileSync(file, `weir-${make().toLowerCase()}\n`, { flag: 'wx', mode: privateFile })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    makePrivateSync(file)
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new GatewayError('DATA_DIR_UNUSABLE', `${file}: ${textOf(cause)}`, { cause })
  }
}
