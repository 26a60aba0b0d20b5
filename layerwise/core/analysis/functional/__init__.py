"""Questions asked of whole outputs: how far two networks agree, and what one loses without some of its layers."""
