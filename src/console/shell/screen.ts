// What the shell and its screens know of each other.
import { type AdminApi, type Who } from '../api.js'
import { type Place } from './place.js'

export type ScreenGround = {
  readonly api: AdminApi
  readonly who: Who
  /** Whether there is an answer, for the line at the top; null while there is. */
  readonly tellTrouble: (trouble: string | null) => void
}

/** A screen that is shown. */
export type OpenScreen = {
  readonly root: HTMLElement
  /** Nothing of it goes on after this. */
  close(): void
}

export type Screen = {
  readonly name: string
  readonly title: string
  open(ground: ScreenGround, place: Place): OpenScreen
}
