// What a device says, with the numbers by which it can be followed.
import type { Reading } from './drivers/driver.ts'

/** A reading that says which one it is, as its payload does too. `device` is the child's where a hub speaks for one. */
export interface Numbered extends Reading {
  readonly device: string
  readonly boot: number
  readonly seq: number
}
