// The data directory of a command, made before anything is written there.
import { makeDirectory } from '../../lib/make-directory.ts'
import { GatewayError } from '../errors.ts'

/** Throws DATA_DIR_UNUSABLE with a sentence. */
export function makeDataDir(path: string): void {
  makeDirectory(path, (reason) => new GatewayError('DATA_DIR_UNUSABLE', `the data directory cannot be used: ${reason}`))
}
