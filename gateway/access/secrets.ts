// Passwords and tokens: kept as scrypt hashes and compared in constant time.
import { createHmac, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { GatewayError } from '../errors.ts'
import { createLoginQueue, type Login, type LoginQueueOptions } from './login-queue.ts'
import { createRecent } from './recent.ts'

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

/** One login as the verifier sees it. */
export interface Proof extends Login {
  readonly secret: string
  /** The hash of that name; undefined when there is no such name. */
  readonly stored: string | undefined
}

export interface Verifier {
  /**
   * Whether the secret belongs to the hash. Without a hash it takes as long and says no, so that the time does not tell which names exist.
   * Throws RATE_EXCEEDED when too many attempts wait.
   */
  verify(proof: Proof): Promise<boolean>
}

/** A hash nothing matches: 256 bits of zeros. */
const noHash = `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`

/** A secret that was right needs no second check; a wrong one must not push it out of memory. */
const maxRight = 10_000
const maxWrong = 4_096
export const maxSecretBytes = 1_024

/**
 * scrypt costs tens of milliseconds on a thread that the disk needs too, so one check runs at a time; login-queue.ts says whose.
 * Outcomes are remembered under a key that dies with the process: a token sent with every request is derived once, and so is
 * the outdated password of a device that keeps trying.
 */
export function createVerifier(options: LoginQueueOptions): Verifier {
  const key = randomBytes(32)
  const right = createRecent<true>(maxRight)
  const wrong = createRecent<true>(maxWrong)
  const queue = createLoginQueue(options)
  /** The same secret from the same source, sent again before its check is done, shares that check. */
  const checking = new Map<string, Promise<boolean>>()

  /** Of fixed length: a client may send a name of 64 KiB. */
  const digest = (...parts: readonly unknown[]) => createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64')

  const check = async ({ secret, stored, source, name }: Proof, id: string): Promise<boolean> => {
    const matched = await queue.run({ source, name: digest(name) }, () =>
      matches(secret, stored ?? noHash).then((same) => same && stored !== undefined),
    )
    if (matched === undefined) throw new GatewayError('RATE_EXCEEDED', 'too many clients authenticate at once')
    const outcomes = matched ? right : wrong
    outcomes.set(id, true)
    return matched
  }

  return {
    async verify(proof) {
      const { secret, stored, source, name } = proof
      if (Buffer.byteLength(secret) > maxSecretBytes) return false
      const id = digest(name, stored, secret)
      if (right.get(id)) return true
      if (wrong.get(id)) return false
      const attempt = `${source} ${id}`
      const running = checking.get(attempt) ?? check(proof, id).finally(() => checking.delete(attempt))
      checking.set(attempt, running)
      return running
    },
  }
}
