// Seeded randomness: the same seed gives the same numbers on every machine. The only file that may ask for real entropy.
import { randomBytes } from 'node:crypto'

/** Uniform in [0, 1), 32 bits of it. */
export type Random = () => number

/** sfc32, seeded from any text or number; the label keeps the streams of one seed apart (`device 7`, `faults 7`). */
export function createRandom(seed: string | number, label = ''): Random {
  let hash = fnv1a(`${seed}\u0000${label}`)
  const word = () => {
    hash = splitmix32(hash)
    return hash
  }
  let [a, b, c, counter] = [word(), word(), word(), 1]
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t
    c |= 0
    return (t >>> 0) / 4294967296
  }
  for (let i = 0; i < 12; i++) next()
  return next
}

/** A generator nobody can predict: for ids, jitter and unseeded runs. */
export function systemRandom(): Random {
  return createRandom(randomBytes(16).toString('hex'))
}

/** A fresh seed, short enough to print and to type again. */
export function randomSeed(): number {
  return randomBytes(4).readUInt32BE()
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash | 0
}

function splitmix32(state: number): number {
  let z = (state + 0x9e3779b9) | 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return (z ^ (z >>> 15)) | 0
}
