// Passwords and tokens: kept as scrypt hashes, compared in constant time, one at a time.
import { createHmac, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { GatewayError } from '../errors.ts'

const derive = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt)

/** 2^ln × r × 128 bytes of memory: 16 MiB with what new hashes get. */
const cost = { ln: 14, r: 8, p: 1 } as const
const hashBytes = 32

/** `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`, base64 without padding, as the PHC string format has it. */
export const hashPattern = /^\$scrypt\$ln=(1[0-7]),r=(8),p=(1)\$([A-Za-z0-9+/]{16,86})\$([A-Za-z0-9+/]{43})$/

export async function hashSecret(secret: string, salt: Uint8Array = randomBytes(16)): Promise<string> {
  const hash = await derive(secret.normalize('NFC'), salt, hashBytes, toOptions(cost))
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${toBase64(salt)}$${toBase64(hash)}`
}

const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

function toOptions({ ln, r, p }: { readonly ln: number; readonly r: number; readonly p: number }): ScryptOptions {
  const N = 2 ** ln
  return { N, r, p, maxmem: 256 * N * r }
}

async function matches(secret: string, stored: string): Promise<boolean> {
  const [, ln, r, p, salt = '', hash = ''] = hashPattern.exec(stored) ?? []
  if (ln === undefined) return false
  const options = toOptions({ ln: Number(ln), r: Number(r), p: Number(p) })
  const derived = await derive(secret.normalize('NFC'), Buffer.from(salt, 'base64'), hashBytes, options)
  return timingSafeEqual(derived, Buffer.from(hash, 'base64'))
}

export interface Verifier {
  /**
   * Whether the secret belongs to the hash. Without a hash it takes as long and says no, so that nobody learns which names exist.
   * Throws RATE_EXCEEDED when too many wait.
   */
  verify(secret: string, stored: string | undefined): Promise<boolean>
}

/** A hash nothing matches: 256 bits of zeros. */
const noHash = `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`

const maxWaiting = 64
const maxRemembered = 1_024
export const maxSecretBytes = 1_024

/**
 * scrypt costs tens of milliseconds on a thread that the disk needs too: it runs once at a time, and what matched is
 * remembered, under a key that dies with the process, so that a token sent with every request is derived once.
 */
export function createVerifier(): Verifier {
  const key = randomBytes(32)
  const remembered = new Set<string>()
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  const derived = async (secret: string, stored: string) => {
    if (waiting >= maxWaiting) throw new GatewayError('RATE_EXCEEDED', 'too many clients authenticate at once')
    waiting++
    const turn = last.then(() => matches(secret, stored))
    last = turn.catch(() => undefined)
    return turn.finally(() => waiting--)
  }
  return {
    async verify(secret, stored) {
      if (Buffer.byteLength(secret) > maxSecretBytes) return false
      const name = createHmac('sha256', key).update(`${stored}\0${secret}`).digest('base64')
      if (stored !== undefined && remembered.has(name)) return true
      const matched = await derived(secret, stored ?? noHash)
      if (!matched || stored === undefined) return false
      if (remembered.size >= maxRemembered) remembered.delete(remembered.values().next().value!)
      remembered.add(name)
      return true
    },
  }
}
