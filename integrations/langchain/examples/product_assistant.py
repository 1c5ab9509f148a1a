"""A shop assistant that is shown a photo: it finds what looks like it and costs no more than the customer says.

    python integrations/langchain/examples/product_assistant.py [PHOTO] [WISH]

The customer's message holds a photo and a wish. The model sees both and calls a tool with the words to look for and a
filter on the catalogue; the photo it cannot pass on, so the tool has it from the message and asks octant with the photo
and the words at once. A filter that cannot be read goes back to the model as an error that says what would be right.
See chat_model.py for which model is asked.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent_tool import converse
from chat_model import chat_model
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool, ToolException, tool
from langchain_octant import OctantMultimodalRetriever, media_of

import octant
from octant import Composed, Image, Item, Part, Text
from octant.sample import QUERIES, write

PRINTS = {  # file: title, price
    "canyon.jpg": ("Red rock arches in the desert, poster", 24.0),
    "temple.jpg": ("Temple carved into the rock, canvas", 89.0),
    "palace.jpg": ("Palace by the lake, poster", 24.0),
    "galaxies.jpg": ("Galaxies of the deep sky, postcard", 2.5),
    "rocket.jpg": ("Rocket launch at dusk, canvas", 89.0),
    "cat.jpg": ("Tabby cat looking at you, postcard", 2.5),
    "flower.jpg": ("Red dahlia in bloom, poster", 24.0),
    "coffee.jpg": ("Cup of espresso, seen from above, canvas", 89.0),
}
INSTRUCTIONS = SystemMessage(
    "You help customers of a shop that sells prints. The customer's photo is searched with by itself: give the tool "
    'the words of the wish, and a filter such as "price < 30" where the customer names a limit. Offer only what the '
    "tool found, and cite products by their ids in brackets, with their prices."
)


def catalogue(photos: Path) -> list[Item]:
    """The shop's products; put your own in its place."""
    return [
        Item(f"sku-{n}", {"title": Text(title), "photo": Image(photos / name)}, {"price": price})
        for n, (name, (title, price)) in enumerate(PRINTS.items(), start=1)
    ]


def shop_tool(retriever: OctantMultimodalRetriever, message: HumanMessage) -> BaseTool:
    """Make the tool for one customer: it searches with the photos in the message, beside the words of the model."""
    photos = [medium for medium in media_of(message) if isinstance(medium, Image)]

    @tool(response_format="content_and_artifact")
    def find_products(words: str, where: str = "") -> tuple[list[dict[str, object]], list[Document]]:
        """Find products like the customer's photo and like some words. `where` narrows by price: "price < 30"."""
        parts = (*photos, Part(Text(words), 0.5)) if words.strip() else tuple(photos)
        if not parts:
            raise ToolException("there is no photo and no words to look for; say what in a few words")
        asked = Composed(parts)
        try:
            docs = retriever.invoke(asked, filter=where or None)
        except octant.FilterError as error:
            raise ToolException(f"{error}") from error
        lines = [f"[{doc.id}] costs {doc.metadata['price']:.2f}\n{doc.page_content}" for doc in docs]
        return [{"type": "text", "text": line} for line in lines], docs

    find_products.handle_tool_error = True
    return find_products


def main(
    photo: Path = QUERIES / "another-view-of-the-canyon.jpg", wish: str = "Do you have something like this below 30?"
) -> Sequence[BaseMessage]:
    encoded = base64.b64encode(photo.read_bytes()).decode()
    message = HumanMessage(
        content_blocks=[
            {"type": "text", "text": wish},
            {"type": "image", "base64": encoded, "mime_type": "image/jpeg"},
        ]
    )
    with tempfile.TemporaryDirectory() as temporary:
        write(Path(temporary))
        photos = Path(temporary) / "photos"
        with octant.open("shop", path=Path(temporary) / "db") as shop:
            shop.add(catalogue(photos))
            tools = [shop_tool(OctantMultimodalRetriever(collection=shop, k=3), message)]
            said = converse(chat_model(), tools, [INSTRUCTIONS, message], roots=[photos])
    print(said[-1].text)
    return said


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), *sys.argv[2:3])
    else:
        main()
