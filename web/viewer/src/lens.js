/** The magnifier: Cornerstone's, made to enlarge by the same factor in small and large views. */
import { MagnifyTool } from '@cornerstonejs/tools';

const SIDE_PX = 260; // CSS px
const ENLARGEMENT = 2.5; // of what the view shows

export class Lens extends MagnifyTool {
  constructor(props) {
    super(props);
    Object.assign(this.configuration, { magnifyWidth: SIDE_PX, magnifyHeight: SIDE_PX });
    const [press, drag] = [this.preMouseDownCallback, this._dragCallback];
    this.preMouseDownCallback = (event) => {
      // The lens divides the view's camera scale, which belongs to the view's height, by this number.
      this.configuration.magnifySize = (ENLARGEMENT * event.detail.element.clientHeight) / SIDE_PX;
      return press(event);
    };
    this._dragCallback = (event) => {
      // Without WebGL a lens has no camera until its image is in place, and Cornerstone does not ask.
      const lens = this.editData.renderingEngine.getViewport('magnify-viewport');
      if (lens?.getCamera().position) drag(event);
    };
  }
}
